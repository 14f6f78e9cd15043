"""What the API server itself refuses, and how it says so; nothing here needs an operator."""

import copy

import pytest

from integration.admission import (
    Spec,
    build_service,
    build_store,
    build_system,
    build_web,
    read_refusal,
)
from integration.kube_client import Namespace

DATASTORES = 16
SERVICES = 48
DEPENDENCIES = 32
REFUSED: list[tuple[str, Spec, str, str]] = [
    (
        "a deadline by which nothing could have started",
        {"services": [build_service()], "rollout": {"progressDeadline": "9s"}},
        "spec.rollout.progressDeadline",
        "progressDeadline must be at least 10s",
    ),
    (
        "unknown dependency of a service",
        {"services": [build_service(dependsOn=[{"name": "ghost"}])]},
        "spec.services",
        "app: dependsOn names ghost, which the system does not have; add it to datastores or",
    ),
    (
        "unknown dependency of a datastore",
        {"datastores": [build_store(dependsOn=[{"name": "ghost"}])], "services": [build_service()]},
        "spec.datastores",
        "db: dependsOn names ghost, which the system does not have",
    ),
    (
        "a component that depends on itself",
        {"services": [build_service(dependsOn=[{"name": "app"}])]},
        "spec.services[0].dependsOn",
        "a component cannot depend on itself",
    ),
    (
        "unknown config",
        {"services": [build_service(configs=[{"name": "ghost", "mountPath": "/c"}])]},
        "spec.services",
        "app: configs names ghost, which the system does not have; add it to configs",
    ),
    (
        "unknown volume",
        {"services": [build_service(volumes=[{"name": "ghost", "mountPath": "/c"}])]},
        "spec.services",
        "app: volumes names ghost, which the system does not have; add it to volumes",
    ),
    (
        "unknown init scripts",
        {"datastores": [build_store(initScripts={"config": "ghost"})]},
        "spec.datastores",
        "db: initScripts.config names ghost, which the system does not have; add it to configs",
    ),
    (
        "init scripts for Redis",
        {
            "configs": [{"name": "init", "files": {}}],
            "datastores": [build_store(engine="Redis", initScripts={"config": "init"})],
        },
        "spec.datastores[0].initScripts",
        "Redis has no init scripts: remove initScripts",
    ),
    (
        "one name for a datastore and a service",
        {"datastores": [build_store("same")], "services": [build_service("same")]},
        "spec.services",
        "a datastore and a service have the same name; rename one of them",
    ),
    (
        "two services of one name",
        {"services": [build_service(), build_service()]},
        "spec.services[1]",
        "Duplicate value",
    ),
    (
        "a single writer with two pods",
        {"services": [build_service(workload="SingleWriter", replicas=2)]},
        "spec.services[0].replicas",
        "a SingleWriter service has one pod: remove replicas or set it to 1",
    ),
    (
        "health without a port",
        {"services": [build_service(health={"path": "/health"})]},
        "spec.services[0].health",
        "health needs a port: declare one under ports or use health.command",
    ),
    (
        "health on a port that is not declared",
        {
            "services": [
                build_service(ports=[{"name": "http", "port": 1}], health={"port": "grpc"}),
            ]
        },
        "spec.services[0].health.port",
        "health.port names a port that ports does not have",
    ),
    (
        "health by path and by command",
        {
            "services": [
                build_service(
                    ports=[{"name": "http", "port": 1}],
                    health={"path": "/x", "command": ["true"]},
                )
            ]
        },
        "spec.services[0].health",
        "a health check has either path or command, not both",
    ),
    (
        "liveness without a port",
        {"services": [build_service(liveness={"path": "/livez"})]},
        "spec.services[0].liveness",
        "liveness needs a port that ports has, or liveness.command",
    ),
    (
        "a variable without a value",
        {"services": [build_service(env=[{"name": "A"}])]},
        "spec.services[0].env[0]",
        "a variable has either value or secretKeyRef, not both and not neither",
    ),
    (
        "a variable with two values",
        {"env": [{"name": "A", "value": "", "secretKeyRef": {"name": "s", "key": "k"}}]},
        "spec.env[0]",
        "a variable has either value or secretKeyRef",
    ),
    (
        "a config with two sources",
        {"configs": [{"name": "c", "files": {}, "configMapRef": "m"}]},
        "spec.configs[0]",
        "a config has either files or configMapRef, not both and not neither",
    ),
    (
        "a config file with a folder in its name",
        {"configs": [{"name": "c", "files": {"a/b": ""}}]},
        "spec.configs[0].files",
        "keys must match",
    ),
    (
        "a setting with an impossible name",
        {"datastores": [build_store(parameters={"Shared Buffers": "1"})]},
        "spec.datastores[0].parameters",
        "keys must match",
    ),
    (
        "an unknown engine",
        {"datastores": [build_store(engine="Oracle")]},
        "spec.datastores[0].engine",
        'supported values: "PostgreSQL", "TimescaleDB", "Redis"',
    ),
    (
        "a size that is no amount",
        {"datastores": [build_store(storage={"size": "big"})]},
        "spec.datastores[0].storage.size",
        "should match",
    ),
    (
        "a size beyond what can be counted",
        {"datastores": [build_store(storage={"size": "9999Pi"})]},
        "spec.datastores[0].storage.size",
        "should match",
    ),
    (
        "a number beyond what can be counted",
        {"volumes": [{"name": "v", "size": 10**18 + 1}]},
        "spec.volumes[0].size",
        "should be less than or equal to",
    ),
    (
        "a duration of lifetimes",
        {"services": [build_service(terminationGracePeriod="999999h")]},
        "spec.services[0].terminationGracePeriod",
        "should match",
    ),
    (
        "a negative size",
        {"volumes": [{"name": "v", "size": -1}]},
        "spec.volumes[0].size",
        "greater than or equal to 0",
    ),
    (
        "a duration that is none",
        {"services": [build_service(terminationGracePeriod="soon")]},
        "spec.services[0].terminationGracePeriod",
        "should match",
    ),
    (
        "a component name that no derived name fits",
        {"services": [build_service("a" * 28)]},
        "spec.services[0].name",
        "may not be more than 27",
    ),
    (
        "an underscore in a name",
        {"services": [build_service("trading_strategy")]},
        "spec.services[0].name",
        "should match",
    ),
    (
        "a service without an image",
        {"services": [{"name": "a"}]},
        "spec.services[0].image",
        "equired",
    ),
    (
        "root",
        {"services": [build_service(runAsUser=0)]},
        "spec.services[0].runAsUser",
        "greater than or equal to 1",
    ),
    (
        "an unknown mode",
        {"mode": "Dry"},
        "spec.mode",
        'supported values: "Paper", "Live"',
    ),
    (
        "a path twice the same but for slashes",
        {"services": [build_web(ingress={"hosts": [{"host": "x.io", "paths": ["/a//b"]}]})]},
        "spec.services[0].ingress.hosts[0].paths[0]",
        "should match",
    ),
    (
        "a host name with an empty part",
        {"services": [build_web(ingress={"hosts": [{"host": "x..io"}]})]},
        "spec.services[0].ingress.hosts[0].host",
        "should match",
    ),
    (
        "a mount at the root, which hides the image",
        {
            "volumes": [{"name": "v", "size": "1Gi"}],
            "services": [build_service(volumes=[{"name": "v", "mountPath": "/"}])],
        },
        "spec.services[0].volumes[0].mountPath",
        "mountPath",
    ),
    (
        "a mount path with a colon",
        {
            "configs": [{"name": "c", "files": {}}],
            "services": [build_service(configs=[{"name": "c", "mountPath": "/a:b"}])],
        },
        "spec.services[0].configs[0].mountPath",
        "should match",
    ),
    (
        "a mount path that leads up",
        {
            "configs": [{"name": "c", "files": {}}],
            "services": [build_service(configs=[{"name": "c", "mountPath": "/a/../b"}])],
        },
        "spec.services[0].configs[0].mountPath",
        "should match",
    ),
    (
        "a root that can be written",
        {"services": [build_service(writablePaths=["/"])]},
        "spec.services[0].writablePaths[0]",
        "writablePaths",
    ),
    (
        "a label whose name is too long",
        {"services": [build_service(scheduling={"nodeSelector": {"x.io/" + "a" * 64: "b"}})]},
        "spec.services[0].scheduling.nodeSelector",
        "keys must match",
    ),
    (
        "an annotation whose name is too long",
        {"services": [build_web(exposure={"annotations": {"a" * 64: "b"}})]},
        "spec.services[0].exposure.annotations",
        "keys must match",
    ),
    (
        "one dependency too many",
        {
            "services": [
                build_service(dependsOn=[{"name": f"d{n}"} for n in range(DEPENDENCIES + 1)])
            ]
        },
        "spec.services[0].dependsOn",
        "must have at most 32 items",
    ),
]


@pytest.mark.acceptance("A77")
@pytest.mark.parametrize(
    ("spec", "field", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_spec_that_makes_no_sense_is_refused_with_its_field_and_the_mend(
    namespace: Namespace, spec: Spec, field: str, message: str
) -> None:
    fields, said = read_refusal(namespace, build_system(spec))
    assert field in fields
    assert message in said


@pytest.mark.parametrize("name", ["a" * 25, "1st", "has.dot"])
def test_a_system_name_that_no_derived_name_fits_is_refused(
    namespace: Namespace, name: str
) -> None:
    _, said = read_refusal(namespace, build_system({"services": [build_service()]}, name))
    assert "metadata.name must be lower-case letters, digits and hyphens" in said


def test_a_misspelt_field_is_refused_when_the_client_asks_for_strictness(
    namespace: Namespace,
) -> None:
    _, said = read_refusal(namespace, build_system({"services": [build_service(dependOn=[])]}))
    assert 'unknown field "spec.services[0].dependOn"' in said


def _largest() -> Spec:
    stores = [f"store-{n:02}-".ljust(27, "x") for n in range(DATASTORES)]
    names = [f"service-{n:02}-".ljust(27, "x") for n in range(SERVICES)]
    known = stores + names
    return {
        "configs": [{"name": f"c{n}", "files": {"a": ""}} for n in range(32)],
        "volumes": [{"name": f"v{n}", "size": "1Gi"} for n in range(16)],
        "datastores": [build_store(name) for name in stores],
        "services": [
            build_service(
                name,
                dependsOn=[{"name": other} for other in known[: DATASTORES + at][-DEPENDENCIES:]],
                configs=[{"name": f"c{n}", "mountPath": f"/c{n}"} for n in range(16)],
                volumes=[{"name": f"v{n}", "mountPath": f"/v{n}"} for n in range(16)],
            )
            for at, name in enumerate(names)
        ],
    }


def test_the_largest_system_is_within_the_cost_budget(namespace: Namespace) -> None:
    namespace.create("tradingsystems", build_system(_largest()))


def test_the_largest_system_with_one_wrong_name_is_told_which(namespace: Namespace) -> None:
    spec = copy.deepcopy(_largest())
    spec["services"][-1]["dependsOn"][-1]["name"] = "ghost"
    fields, said = read_refusal(namespace, build_system(spec))
    assert fields == {"spec.services"}
    assert "service-47-xxxxxxxxxxxxxxxx: dependsOn names ghost, which" in said


def test_the_server_stores_a_spec_as_its_author_wrote_it(namespace: Namespace) -> None:
    spec = {"datastores": [build_store()], "services": [build_service(dependsOn=[{"name": "db"}])]}
    assert namespace.create("tradingsystems", build_system(spec))["spec"] == spec
