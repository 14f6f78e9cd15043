"""What the API server itself refuses, and how it says so; nothing here needs an operator."""

import copy
from typing import Any

import httpx
import pytest

from integration.kube_client import Namespace

Spec = dict[str, Any]

DATASTORES = 16
SERVICES = 48
DEPENDENCIES = 32


def _store(name: str = "db", **fields: Any) -> Spec:
    return {"name": name, "engine": "PostgreSQL", "storage": {"size": "1Gi"}, **fields}


def _service(name: str = "app", **fields: Any) -> Spec:
    return {"name": name, "image": "app:1", **fields}


def _web(**fields: Any) -> Spec:
    return _service(ports=[{"name": "http", "port": 8000}], **fields)


def _balanced(**fields: Any) -> Spec:
    return {"services": [_web(exposure={"type": "LoadBalancer", **fields})]}


def _system(spec: Spec, name: str = "momentum") -> Spec:
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "TradingSystem",
        "metadata": {"name": name},
        "spec": spec,
    }


def _refusal(namespace: Namespace, system: Spec, method: str = "POST") -> tuple[set[str], str]:
    """Return the fields that the server blames and all that it says."""
    name = system["metadata"]["name"] if method == "PUT" else ""
    path = namespace.path("tradingsystems", name)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        namespace.client.request(method, path, system, dryRun="All", fieldValidation="Strict")
    answer = caught.value.response.json()
    causes = answer.get("details", {}).get("causes", [])
    return {cause["field"] for cause in causes}, answer["message"]


REFUSED: list[tuple[str, Spec, str, str]] = [
    (
        "a deadline by which nothing could have started",
        {"services": [_service()], "rollout": {"progressDeadline": "9s"}},
        "spec.rollout.progressDeadline",
        "progressDeadline must be at least 10s",
    ),
    (
        "unknown dependency of a service",
        {"services": [_service(dependsOn=[{"name": "ghost"}])]},
        "spec.services",
        "app: dependsOn names ghost, which the system does not have; add it to datastores or",
    ),
    (
        "unknown dependency of a datastore",
        {"datastores": [_store(dependsOn=[{"name": "ghost"}])], "services": [_service()]},
        "spec.datastores",
        "db: dependsOn names ghost, which the system does not have",
    ),
    (
        "a component that depends on itself",
        {"services": [_service(dependsOn=[{"name": "app"}])]},
        "spec.services[0].dependsOn",
        "a component cannot depend on itself",
    ),
    (
        "unknown config",
        {"services": [_service(configs=[{"name": "ghost", "mountPath": "/c"}])]},
        "spec.services",
        "app: configs names ghost, which the system does not have; add it to configs",
    ),
    (
        "unknown volume",
        {"services": [_service(volumes=[{"name": "ghost", "mountPath": "/c"}])]},
        "spec.services",
        "app: volumes names ghost, which the system does not have; add it to volumes",
    ),
    (
        "unknown init scripts",
        {"datastores": [_store(initScripts={"config": "ghost"})]},
        "spec.datastores",
        "db: initScripts.config names ghost, which the system does not have; add it to configs",
    ),
    (
        "init scripts for Redis",
        {
            "configs": [{"name": "init", "files": {}}],
            "datastores": [_store(engine="Redis", initScripts={"config": "init"})],
        },
        "spec.datastores[0].initScripts",
        "Redis has no init scripts: remove initScripts",
    ),
    (
        "one name for a datastore and a service",
        {"datastores": [_store("same")], "services": [_service("same")]},
        "spec.services",
        "a datastore and a service have the same name; rename one of them",
    ),
    (
        "two services of one name",
        {"services": [_service(), _service()]},
        "spec.services[1]",
        "Duplicate value",
    ),
    (
        "a single writer with two pods",
        {"services": [_service(workload="SingleWriter", replicas=2)]},
        "spec.services[0].replicas",
        "a SingleWriter service has one pod: remove replicas or set it to 1",
    ),
    (
        "health without a port",
        {"services": [_service(health={"path": "/health"})]},
        "spec.services[0].health",
        "health needs a port: declare one under ports or use health.command",
    ),
    (
        "health on a port that is not declared",
        {
            "services": [
                _service(ports=[{"name": "http", "port": 1}], health={"port": "grpc"}),
            ]
        },
        "spec.services[0].health.port",
        "health.port names a port that ports does not have",
    ),
    (
        "health by path and by command",
        {
            "services": [
                _service(
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
        {"services": [_service(liveness={"path": "/livez"})]},
        "spec.services[0].liveness",
        "liveness needs a port that ports has, or liveness.command",
    ),
    (
        "a variable without a value",
        {"services": [_service(env=[{"name": "A"}])]},
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
        {"datastores": [_store(parameters={"Shared Buffers": "1"})]},
        "spec.datastores[0].parameters",
        "keys must match",
    ),
    (
        "an unknown engine",
        {"datastores": [_store(engine="Oracle")]},
        "spec.datastores[0].engine",
        'supported values: "PostgreSQL", "TimescaleDB", "Redis"',
    ),
    (
        "a size that is no amount",
        {"datastores": [_store(storage={"size": "big"})]},
        "spec.datastores[0].storage.size",
        "should match",
    ),
    (
        "a size beyond what can be counted",
        {"datastores": [_store(storage={"size": "9999Pi"})]},
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
        {"services": [_service(terminationGracePeriod="999999h")]},
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
        {"services": [_service(terminationGracePeriod="soon")]},
        "spec.services[0].terminationGracePeriod",
        "should match",
    ),
    (
        "a component name that no derived name fits",
        {"services": [_service("a" * 28)]},
        "spec.services[0].name",
        "may not be more than 27",
    ),
    (
        "an underscore in a name",
        {"services": [_service("trading_strategy")]},
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
        {"services": [_service(runAsUser=0)]},
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
        {"services": [_web(ingress={"hosts": [{"host": "x.io", "paths": ["/a//b"]}]})]},
        "spec.services[0].ingress.hosts[0].paths[0]",
        "should match",
    ),
    (
        "a host name with an empty part",
        {"services": [_web(ingress={"hosts": [{"host": "x..io"}]})]},
        "spec.services[0].ingress.hosts[0].host",
        "should match",
    ),
    (
        "a mount at the root, which hides the image",
        {
            "volumes": [{"name": "v", "size": "1Gi"}],
            "services": [_service(volumes=[{"name": "v", "mountPath": "/"}])],
        },
        "spec.services[0].volumes[0].mountPath",
        "mountPath",
    ),
    (
        "a mount path with a colon",
        {
            "configs": [{"name": "c", "files": {}}],
            "services": [_service(configs=[{"name": "c", "mountPath": "/a:b"}])],
        },
        "spec.services[0].configs[0].mountPath",
        "should match",
    ),
    (
        "a mount path that leads up",
        {
            "configs": [{"name": "c", "files": {}}],
            "services": [_service(configs=[{"name": "c", "mountPath": "/a/../b"}])],
        },
        "spec.services[0].configs[0].mountPath",
        "should match",
    ),
    (
        "a root that can be written",
        {"services": [_service(writablePaths=["/"])]},
        "spec.services[0].writablePaths[0]",
        "writablePaths",
    ),
    (
        "a label whose name is too long",
        {"services": [_service(scheduling={"nodeSelector": {"x.io/" + "a" * 64: "b"}})]},
        "spec.services[0].scheduling.nodeSelector",
        "keys must match",
    ),
    (
        "an annotation whose name is too long",
        {"services": [_web(exposure={"annotations": {"a" * 64: "b"}})]},
        "spec.services[0].exposure.annotations",
        "keys must match",
    ),
    (
        "one dependency too many",
        {"services": [_service(dependsOn=[{"name": f"d{n}"} for n in range(DEPENDENCIES + 1)])]},
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
    fields, said = _refusal(namespace, _system(spec))
    assert field in fields
    assert message in said


@pytest.mark.parametrize("name", ["a" * 25, "1st", "has.dot"])
def test_a_system_name_that_no_derived_name_fits_is_refused(
    namespace: Namespace, name: str
) -> None:
    _, said = _refusal(namespace, _system({"services": [_service()]}, name))
    assert "metadata.name must be lower-case letters, digits and hyphens" in said


def test_a_misspelt_field_is_refused_when_the_client_asks_for_strictness(
    namespace: Namespace,
) -> None:
    _, said = _refusal(namespace, _system({"services": [_service(dependOn=[])]}))
    assert 'unknown field "spec.services[0].dependOn"' in said


CHANGES: list[tuple[str, Spec, Spec, str, str]] = [
    (
        "another engine",
        {"datastores": [_store()]},
        {"datastores": [_store(engine="TimescaleDB")]},
        "spec.datastores[0].engine",
        "engine is immutable: add a new datastore and move the data",
    ),
    (
        "another user of a database",
        {"datastores": [_store()]},
        {"datastores": [_store(username="other")]},
        "spec.datastores[0].username",
        "username is set when the volume is first initialised: set it back, or add a new datastore",
    ),
    (
        "the default database instead of one of its own",
        {"datastores": [_store("first"), _store(database="own")]},
        {"datastores": [_store(), _store("first")]},
        "spec.datastores[0].database",
        "database is set when the volume is first initialised: set it back, or add a new datastore",
    ),
    (
        "another class of load balancers",
        _balanced(loadBalancerClass="example.com/a"),
        _balanced(loadBalancerClass="example.com/b"),
        "spec.services[0].exposure.loadBalancerClass",
        "loadBalancerClass cannot change while the type is LoadBalancer",
    ),
    (
        "a class of load balancers afterwards",
        _balanced(),
        _balanced(loadBalancerClass="example.com/b"),
        "spec.services[0].exposure.loadBalancerClass",
        "loadBalancerClass cannot change while the type is LoadBalancer",
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "field", "message"),
    [row[1:] for row in CHANGES],
    ids=[row[0] for row in CHANGES],
)
def test_a_change_that_cannot_be_made_is_refused(
    namespace: Namespace, before: Spec, after: Spec, field: str, message: str
) -> None:
    live = namespace.create("tradingsystems", _system(before))
    fields, said = _refusal(namespace, {**live, "spec": after}, "PUT")
    assert field in fields
    assert message in said


def test_a_class_of_load_balancers_may_come_and_go_with_the_type(namespace: Namespace) -> None:
    classed = _balanced(loadBalancerClass="example.com/a")
    for before, after in (({"services": [_web()]}, classed), (classed, {"services": [_web()]})):
        live = namespace.create("tradingsystems", _system(before))
        path = namespace.path("tradingsystems", "momentum")
        namespace.client.request("PUT", path, {**live, "spec": after}, dryRun="All")
        namespace.delete("tradingsystems", "momentum")


def test_as_many_pods_are_taken_by_hand_as_by_an_autoscaler(namespace: Namespace) -> None:
    for many in ({"replicas": 1000}, {"autoscaling": {"max": 1000, "cpu": 70}}):
        system = _system({"services": [_service(**many)]})
        path = namespace.path("tradingsystems", "")
        namespace.client.request("POST", path, system, dryRun="All")


def test_volumes_may_grow_and_components_may_come_and_go(namespace: Namespace) -> None:
    live = namespace.create("tradingsystems", _system({"datastores": [_store()]}))
    grown = {"datastores": [_store("other"), _store(storage={"size": "1.5Gi"})]}
    path = namespace.path("tradingsystems", "momentum")
    namespace.client.request("PUT", path, {**live, "spec": grown}, dryRun="All")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"storage": {"size": "3Gi"}}, {"storage": {"size": "1Gi"}}),
        ({}, {"username": "trading", "database": "trading"}),
        ({"engine": "Redis"}, {"engine": "Redis", "username": "other"}),
    ],
    ids=["growth that was refused is taken back", "a default is written down", "no user is made"],
)
def test_a_change_that_loses_nothing_is_admitted(
    namespace: Namespace, before: Spec, after: Spec
) -> None:
    live = namespace.create("tradingsystems", _system({"datastores": [_store(**before)]}))
    path = namespace.path("tradingsystems", "momentum")
    changed = {**live, "spec": {"datastores": [_store(**after)]}}
    namespace.client.request("PUT", path, changed, dryRun="All")


def _largest() -> Spec:
    stores = [f"store-{n:02}-".ljust(27, "x") for n in range(DATASTORES)]
    names = [f"service-{n:02}-".ljust(27, "x") for n in range(SERVICES)]
    known = stores + names
    return {
        "configs": [{"name": f"c{n}", "files": {"a": ""}} for n in range(32)],
        "volumes": [{"name": f"v{n}", "size": "1Gi"} for n in range(16)],
        "datastores": [_store(name) for name in stores],
        "services": [
            _service(
                name,
                dependsOn=[{"name": other} for other in known[: DATASTORES + at][-DEPENDENCIES:]],
                configs=[{"name": f"c{n}", "mountPath": f"/c{n}"} for n in range(16)],
                volumes=[{"name": f"v{n}", "mountPath": f"/v{n}"} for n in range(16)],
            )
            for at, name in enumerate(names)
        ],
    }


def test_the_largest_system_is_within_the_cost_budget(namespace: Namespace) -> None:
    namespace.create("tradingsystems", _system(_largest()))


def test_the_largest_system_with_one_wrong_name_is_told_which(namespace: Namespace) -> None:
    spec = copy.deepcopy(_largest())
    spec["services"][-1]["dependsOn"][-1]["name"] = "ghost"
    fields, said = _refusal(namespace, _system(spec))
    assert fields == {"spec.services"}
    assert "service-47-xxxxxxxxxxxxxxxx: dependsOn names ghost, which" in said


def test_the_server_stores_a_spec_as_its_author_wrote_it(namespace: Namespace) -> None:
    spec = {"datastores": [_store()], "services": [_service(dependsOn=[{"name": "db"}])]}
    assert namespace.create("tradingsystems", _system(spec))["spec"] == spec
