"""Texts that want to be shell, SQL, settings or paths."""

from integration.attacks import (
    Attack,
    configured,
    container,
    isolated,
    one,
    pod_specs,
    secret_of_theirs,
    store,
)
from integration.kube_client import Namespace
from integration.systems import build_datastore, build_system

SHELL = "'; touch /tmp/pwned; $(touch /tmp/pwned) `touch /tmp/pwned` \" #"


def _variable_is_plain(space: Namespace) -> None:
    variables = {each["name"]: each.get("value") for each in container(space, "i-shell")["env"]}
    assert variables["EVIL"] == SHELL
    assert container(space, "i-shell")["readinessProbe"]["exec"]["command"] == ["echo", SHELL]


def _argument_is_one(space: Namespace) -> None:
    arguments = container(space, "i-archive")["args"]
    assert f"archive_command={SHELL}" in arguments
    (spec,) = pod_specs(space, "i-archive")
    assert spec["automountServiceAccountToken"] is False


def _setting_is_one_line(space: Namespace) -> None:
    found = container(space, "i-redis")
    assert f"loadmodule {SHELL}" in found["args"]
    assert SHELL not in " ".join(found["command"])


def _secret_stays_a_file(space: Namespace) -> None:
    assert "theirs" not in str(space.get("tradingsystems", "i-borrowed")["status"])
    (spec,) = pod_specs(space, "i-borrowed")
    assert "theirs" not in str(spec["containers"])


INJECTIONS = [
    Attack(
        "a config file that leads out of its folder",
        (configured("i-dots", {"../../etc/passwd": "x"}),),
        refused="keys must match",
    ),
    Attack(
        "a config file whose name is the folder above",
        (configured("i-above", {"..": "x"}),),
        refused="keys must match",
    ),
    Attack(
        "a config file whose name has two lines",
        (configured("i-lines", {"a\nb": "x"}),),
        refused="keys must match",
    ),
    Attack(
        "a Secret's key that leads out of its folder",
        (one("i-key", env=[{"name": "A", "secretKeyRef": {"name": "s", "key": ".."}}]),),
        refused="secretKeyRef.key",
    ),
    Attack(
        "a Secret of another namespace by its path",
        (
            one(
                "i-path",
                env=[{"name": "A", "secretKeyRef": {"name": "../kube-system/s", "key": "k"}}],
            ),
        ),
        refused="secretKeyRef.name",
    ),
    Attack(
        "shell in a variable and in a probe",
        (
            one(
                "i-shell",
                env=[{"name": "EVIL", "value": SHELL}],
                health={"command": ["echo", SHELL]},
            ),
        ),
        proof=_variable_is_plain,
    ),
    Attack(
        "SQL in the name of a database",
        (store("i-sql", database='trading"; DROP TABLE orders; --'),),
        refused="database",
    ),
    Attack(
        "an option in the name of a user",
        (store("i-user", username="--command=id"),),
        refused="username",
    ),
    Attack(
        "a second setting in the value of a setting",
        (store("i-lf", parameters={"work_mem": "4MB\narchive_command=id"}),),
        stalled="InvalidSpec",
        told="parameters.work_mem: the value has a control character",
    ),
    Attack(
        "a second setting in the value of a Redis setting",
        (
            store(
                "i-lf-redis", engine="Redis", parameters={"maxmemory-policy": "noeviction\ndir /"}
            ),
        ),
        stalled="InvalidSpec",
        told="parameters.maxmemory-policy: the value has a control character",
    ),
    Attack(
        "a Redis without its password",
        (store("i-open", engine="Redis", parameters={"user": "default on nopass ~* +@all"}),),
        stalled="InvalidSpec",
        told="parameters.user",
    ),
    Attack(
        "a program that PostgreSQL starts: the pod's own right, which has no more",
        (store("i-archive", parameters={"archive_mode": "on", "archive_command": SHELL}),),
        proof=_argument_is_one,
    ),
    Attack(
        "a library that Redis loads: the pod's own right, which has no more",
        (store("i-redis", engine="Redis", parameters={"loadmodule": SHELL}),),
        proof=_setting_is_one_line,
    ),
    Attack(
        "an image with a scheme",
        (one("i-scheme", image="https://registry.example/app:1"),),
        refused="image",
    ),
    Attack(
        "an image of two lines",
        (one("i-image", image="app:1\nprivileged: true"),),
        refused="image",
    ),
    Attack(
        "the password of somebody else's database for init scripts that print it",
        (
            build_system(
                "i-borrowed",
                [],
                [
                    {
                        **build_datastore("db"),
                        "credentials": {"secretName": "i-borrowed-secret"},
                        "initScripts": {"config": "print"},
                    }
                ],
                configs=[{"name": "print", "files": {"a.sh": "cat /run/secrets/db/password"}}],
            ),
        ),
        theirs=(secret_of_theirs("i-borrowed-secret"),),
        proof=_secret_stays_a_file,
    ),
    Attack(
        "annotations of the operator's own, for a Service",
        (one("i-own", exposure={"annotations": {"tradingoperator.io/rendering": "x"}}),),
        refused="the operator's own",
    ),
    Attack(
        "an address range that is none",
        (isolated(one("i-cidr", egress=[{"cidr": "999.1.1.1/99", "ports": [1]}])),),
        refused="write an address range",
    ),
]
