"""Fields that no system has, and more of everything than fits."""

from typing import Any

from integration.attacks import (
    Attack,
    Manifest,
    configured,
    isolated,
    one,
    pod_specs,
    volumes,
)
from integration.kube_client import Namespace
from integration.systems import build_service, build_system

SMUGGLED: Manifest = {
    "hostNetwork": True,
    "hostPID": True,
    "serviceAccountName": "trading-operator",
    "namespace": "kube-system",
    "securityContext": {"privileged": True, "runAsUser": 0},
    "podTemplate": {"spec": {"hostNetwork": True}},
    "hostPath": {"path": "/"},
}


def _smuggles(name: str) -> Manifest:
    system = volumes(name, "models")
    service: dict[str, Any] = system["spec"]["services"][0]
    service.update(SMUGGLED)
    system["spec"]["volumes"][0]["hostPath"] = {"path": "/"}
    system["spec"].update(SMUGGLED)
    return system


def _nothing_was_smuggled(space: Namespace) -> None:
    for spec in pod_specs(space, "s-dropped"):
        assert not {"hostNetwork", "hostPID"} & spec.keys()
        assert spec["serviceAccountName"] == "default"
        assert not [each for each in spec["volumes"] if "hostPath" in each]
        assert "privileged" not in spec["containers"][0]["securityContext"]
    stored = space.get("tradingsystems", "s-dropped")["spec"]
    assert not SMUGGLED.keys() & (stored.keys() | stored["services"][0].keys())


def _only_its_own_pods(space: Namespace) -> None:
    policy = space.get("networkpolicies", "n-wide-api")["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "api"
    (rule,) = [rule for rule in policy["egress"] if "ipBlock" in rule["to"][0]]
    assert rule["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"]
    assert "egress" not in space.get("networkpolicies", "n-wide-web")["spec"]


SIZES = [
    Attack(
        "fields of a pod that no system has, as kubectl sends them",
        (_smuggles("s-refused"),),
        refused="unknown field",
    ),
    Attack(
        "fields of a pod that no system has, dropped in silence",
        (_smuggles("s-dropped"),),
        proof=_nothing_was_smuggled,
        validation="Ignore",
    ),
    Attack(
        "an egress to everywhere opens nobody else",
        (
            isolated(
                build_system(
                    "n-wide",
                    [
                        build_service("api", egress=[{"cidr": "0.0.0.0/0", "ports": [443]}]),
                        build_service("web"),
                    ],
                )
            ),
        ),
        proof=_only_its_own_pods,
    ),
    Attack(
        "more services than a system has",
        (build_system("s-many", [build_service(f"s{at}") for at in range(49)]),),
        refused="services",
    ),
    Attack(
        "more dependencies than a component has",
        (
            build_system(
                "s-edges",
                [build_service(f"s{at}") for at in range(40)]
                + [build_service("all", *(f"s{at}" for at in range(40)))],
            ),
        ),
        refused="dependsOn",
    ),
    Attack(
        "a value beyond its bound",
        (one("s-value", env=[{"name": "A", "value": "x" * 40000}]),),
        refused="value",
    ),
    Attack(
        "a resource of megabytes",
        (configured("s-giant", {f"f{at}": "x" * 250000 for at in range(20)}),),
        refused="large",
    ),
    Attack(
        "a name that makes other names too long",
        (one("s" * 60),),
        refused="metadata.name",
    ),
    Attack(
        "a name with a dot, which is the default policy's",
        (one("s.default-deny"),),
        refused="metadata.name",
    ),
]
