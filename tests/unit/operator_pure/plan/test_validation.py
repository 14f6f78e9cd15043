"""What is missing: who is blocked, by what, and that nothing else is harmed."""

from typing import Any

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import PART_OF, build_system_selector
from trading_operator.plan.observed import Observed, Ref, SecretFacts
from trading_operator.plan.types import Block, Plan
from unit.operator_pure.systems import (
    OWNER,
    World,
    component_names,
    datastore,
    later,
    make_spec,
    objects_of,
    plan_for,
    service,
)

DATA = Ref("PersistentVolumeClaim", "data-momentum-db-0")
SYSTEM_LABELS = build_system_selector(OWNER)
NEEDS_SECRET = [{"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}]


def _block(plan: Plan, component: str) -> Block:
    block = next(c.block for c in plan.components if c.name == component)
    assert block is not None
    return block


def _plan(spec: TradingSystemSpec, **seen: Any) -> Plan:
    return plan_for(spec, Observed(**seen))


@pytest.mark.acceptance("A79")
def test_a_missing_secret_says_which_and_what_to_do() -> None:
    plan = _plan(make_spec(services=[service("app", env=NEEDS_SECRET), service("other")]))
    block = _block(plan, "app")
    assert block.reason == "SecretNotFound"
    assert block.message == (
        "services[0].env[0].secretKeyRef: there is no Secret broker; create it with the key key"
    )
    assert component_names(plan.objects) == ["other"]


def test_a_missing_key_says_which_keys_there_are() -> None:
    secrets = {"broker": SecretFacts("broker", frozenset({"a", "b"}), "d")}
    plan = _plan(make_spec(services=[service("app", env=NEEDS_SECRET)]), secrets=secrets)
    assert _block(plan, "app").reason == "SecretKeyNotFound"
    assert "has no key key (it has a, b)" in _block(plan, "app").message


def test_missing_credentials_of_a_datastore_block_it() -> None:
    store = datastore(credentials={"secretName": "mine", "passwordKey": "pw"})
    plan = _plan(make_spec(datastores=[store]))
    assert _block(plan, "db").message.startswith("datastores[0].credentials: there is no Secret")
    assert plan.generated_secrets == ()


def test_a_missing_config_map_says_which() -> None:
    spec = make_spec(
        configs=[{"name": "settings", "configMapRef": "shared"}],
        services=[service("app", configs=[{"name": "settings", "mountPath": "/c"}])],
    )
    assert _block(_plan(spec), "app").reason == "ConfigMapNotFound"
    found = _plan(spec, config_maps=frozenset({"shared"}))
    assert component_names(found.objects) == ["app"]


def test_a_missing_storage_class_says_which_there_are() -> None:
    spec = make_spec(datastores=[datastore(storage={"size": "1Gi", "storageClassName": "fast"})])
    plan = _plan(spec, storage_classes=frozenset({"standard", "slow"}))
    assert _block(plan, "db").reason == "StorageClassNotFound"
    assert "no StorageClass fast (it has slow, standard)" in _block(plan, "db").message
    assert _plan(spec, storage_classes=None).components[0].block is None


def test_a_shared_volume_of_a_missing_class_blocks_those_that_mount_it() -> None:
    spec = make_spec(
        volumes=[{"name": "data", "size": "1Gi", "storageClassName": "fast"}],
        services=[
            service("app", volumes=[{"name": "data", "mountPath": "/d"}]),
            service("other"),
        ],
    )
    plan = _plan(spec, storage_classes=frozenset({"standard"}))
    assert "volumes[0].storageClassName" in _block(plan, "app").message
    assert component_names(plan.objects) == ["other"]
    assert objects_of(plan, "PersistentVolumeClaim") == {}


def test_what_runs_is_left_alone_when_a_secret_vanishes() -> None:
    spec = make_spec(services=[service("app", env=NEEDS_SECRET)])
    secrets = {"broker": SecretFacts("broker", frozenset({"key"}), "d")}
    world = World(secrets=secrets)
    world.settle(spec)
    before = dict(world.children)
    plan = plan_for(spec, world.observe(secrets={}))
    assert _block(plan, "app").reason == "SecretNotFound"
    world.apply(plan)
    assert world.children == before


@pytest.mark.parametrize(
    "ref",
    [Ref(kind, "momentum-app") for kind in ("Deployment", "Service", "NetworkPolicy")],
)
def test_a_taken_name_is_reported_and_left_alone(ref: Ref) -> None:
    plan = _plan(make_spec(services=[service("app"), service("other")]), foreign=frozenset({ref}))
    assert _block(plan, "app").reason == "NameConflict"
    assert f"{ref.kind} momentum-app exists and does not belong" in _block(plan, "app").message
    assert ref.name not in objects_of(plan, ref.kind)
    assert component_names(plan.objects) == ["other"]


def test_no_component_starts_without_the_systems_isolation() -> None:
    ref = Ref("NetworkPolicy", "momentum.default-deny")
    spec = make_spec(services=[service("app"), service("other")])
    plan = _plan(spec, foreign=frozenset({ref}))
    assert component_names(plan.objects) == []
    assert _block(plan, "app").reason == "NameConflict"


def test_a_taken_credentials_name_blocks_the_datastore() -> None:
    ref = Ref("Secret", "momentum-db-credentials")
    plan = _plan(make_spec(datastores=[datastore()]), foreign=frozenset({ref}))
    assert _block(plan, "db").reason == "NameConflict"
    assert plan.generated_secrets == ()


def test_a_lost_password_is_not_replaced_by_one_that_opens_nothing() -> None:
    spec = make_spec(datastores=[datastore()])
    world = World()
    world.settle(spec)
    plan = plan_for(spec, world.observe(secrets={}))
    assert _block(plan, "db").reason == "CredentialsLost"
    assert plan.generated_secrets == ()
    assert plan.prune == ()


def test_a_volume_without_its_password_is_not_opened_with_another() -> None:
    claim = Ref("PersistentVolumeClaim", "data-momentum-db-0")
    metadata = {"name": claim.name, "uid": "c"}
    left = {claim: {"kind": claim.kind, "metadata": metadata, "spec": {}}}
    plan = _plan(make_spec(datastores=[datastore()]), children=left)
    assert _block(plan, "db").reason == "CredentialsLost"
    assert (
        "delete StatefulSet momentum-db and PersistentVolumeClaim data-momentum-db-0"
        in _block(plan, "db").message
    )


def test_a_lost_password_is_made_anew_while_there_is_no_volume() -> None:
    spec = make_spec(datastores=[datastore()])
    world = World()
    world.settle(spec)
    del world.children[DATA]
    plan = plan_for(spec, world.observe(secrets={}))
    assert plan.components[0].block is None
    assert [each.manifest["metadata"]["name"] for each in plan.generated_secrets] == [
        "momentum-db-credentials"
    ]


@pytest.mark.parametrize(
    ("keys", "labels", "reason"),
    [
        ({"password"}, {}, "NameConflict"),
        ({"password"}, {**SYSTEM_LABELS, PART_OF: "momentum-db"}, "NameConflict"),
        ({"username"}, SYSTEM_LABELS, "SecretKeyNotFound"),
    ],
)
def test_a_secret_of_another_system_under_the_generated_name_opens_nothing(
    keys: set[str], labels: dict[str, str], reason: str
) -> None:
    name = "momentum-db-credentials"
    secrets = {name: SecretFacts(name, frozenset(keys), "d", labels)}
    plan = _plan(make_spec(datastores=[datastore()]), secrets=secrets)
    assert _block(plan, "db").reason == reason
    assert component_names(plan.objects) == []


def test_a_restored_secret_with_the_systems_labels_is_taken() -> None:
    name = "momentum-db-credentials"
    secrets = {name: SecretFacts(name, frozenset({"password"}), "d", SYSTEM_LABELS)}
    plan = _plan(make_spec(datastores=[datastore()]), secrets=secrets)
    assert component_names(plan.objects) == ["db"]


def test_another_secret_for_a_password_that_is_in_the_volume_is_refused() -> None:
    def spec(engine: str, secret: str) -> TradingSystemSpec:
        return make_spec(datastores=[datastore(engine=engine, credentials={"secretName": secret})])

    known = {name: SecretFacts(name, frozenset({"password"}), name) for name in ("one", "two")}
    world = World(secrets=dict(known))
    world.settle(spec("PostgreSQL", "one"))
    plan = plan_for(spec("PostgreSQL", "two"), world.observe())
    assert _block(plan, "db").reason == "CredentialsChange"
    assert "stays that of Secret one, key password; set it back" in _block(plan, "db").message

    # Redis reads its password at every start.
    world = World(secrets=dict(known))
    world.settle(spec("Redis", "one"))
    plan = plan_for(spec("Redis", "two"), world.observe())
    assert component_names(plan.objects) == ["db"]


@pytest.mark.parametrize("required", [True, False])
def test_a_datastores_secret_that_is_away_for_a_moment_changes_no_dependant(
    required: bool,
) -> None:
    spec = make_spec(
        datastores=[datastore(credentials={"secretName": "mine"})],
        services=[service("app", "db" if required else "db?")],
    )
    world = World(secrets={"mine": SecretFacts("mine", frozenset({"password"}), "d")})
    world.settle(spec)
    before = dict(world.children)
    for seconds in (0, 60, 120):
        plan = plan_for(spec, world.observe(secrets={}), later(seconds))
        world.apply(plan)
        assert world.children == before
    assert world.settle(spec).components[1].block is None
    assert world.children == before


def test_a_service_starts_without_the_secret_of_an_optional_datastore() -> None:
    spec = make_spec(
        datastores=[datastore(credentials={"secretName": "mine"})],
        services=[service("app", "db?")],
    )
    world = World()
    world.apply(plan_for(spec))
    world.apply(plan_for(spec, world.observe(), later(31)))
    plan = plan_for(spec, world.observe(), later(32))
    assert next(c for c in plan.components if c.name == "app").block is None
    assert component_names(plan.objects) == ["app"]


def test_the_version_that_runs_is_that_of_the_pods_whatever_the_label_says() -> None:
    world = World()
    world.settle(make_spec(datastores=[datastore(version="16")]))
    ref = Ref("StatefulSet", "momentum-db")
    live = world.children[ref]
    labels = {**live["metadata"]["labels"], "app.kubernetes.io/version": "17"}
    world.children[ref] = {**live, "metadata": {**live["metadata"], "labels": labels}}
    plan = plan_for(make_spec(datastores=[datastore(version="17")]), world.observe())
    assert _block(plan, "db").reason == "MajorVersionChange"
    plan = plan_for(make_spec(datastores=[datastore(version="16")]), world.observe())
    assert component_names(plan.objects) == ["db"]


@pytest.mark.parametrize("first", ["datastore", "service"])
def test_a_datastore_and_a_single_writer_never_take_each_others_place(first: str) -> None:
    specs = {
        "datastore": make_spec(datastores=[datastore("db")]),
        "service": make_spec(services=[service("db", workload="SingleWriter")]),
    }
    world = World()
    world.settle(specs.pop(first))
    plan = plan_for(next(iter(specs.values())), world.observe())
    assert _block(plan, "db").reason == "NameConflict"
    assert f"is a {first} until now" in _block(plan, "db").message
    world.apply(plan)
    assert world.written == []


def test_a_major_version_change_is_refused_with_the_way_to_do_it() -> None:
    world = World()
    world.settle(make_spec(datastores=[datastore(version="16")]))
    plan = plan_for(make_spec(datastores=[datastore(version="17")]), world.observe())
    assert _block(plan, "db").reason == "MajorVersionChange"
    assert "add a new datastore with 17" in _block(plan, "db").message


def test_another_storage_class_for_a_live_volume_is_refused_with_the_way_to_do_it() -> None:
    world = World()
    world.settle(make_spec(datastores=[datastore()]))
    moved = datastore(storage={"size": "1Gi", "storageClassName": "fast"})
    seen = world.observe(storage_classes=frozenset({"fast"}))
    plan = plan_for(make_spec(datastores=[moved]), seen)
    assert _block(plan, "db").reason == "StorageClassChange"
    assert "db" not in component_names(plan.objects)


def test_a_minor_version_change_is_made() -> None:
    world = World()
    before = datastore(version="17.1", image="postgres:17.1")
    after = datastore(version="17.2", image="postgres:17.2")
    world.settle(make_spec(datastores=[before]))
    plan = plan_for(make_spec(datastores=[after]), world.observe())
    assert component_names(plan.objects) == ["db"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"configs": [{"name": "x", "mountPath": "/c"}]}, r"services\[0\].configs\[0\].name"),
        ({"volumes": [{"name": "x", "mountPath": "/c"}]}, r"services\[0\].volumes\[0\].name"),
    ],
)
def test_names_that_got_past_admission_are_refused_with_their_path(
    fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidSpecError, match=path):
        plan_for(make_spec(services=[service("app", **fields)]))


@pytest.mark.parametrize("name", ["shared", "momentum-a"])
def test_two_components_cannot_share_an_address(name: str) -> None:
    first = service("a", serviceName=name) if name == "shared" else service("a")
    with pytest.raises(InvalidSpecError, match=r"services\[1\].serviceName: a has the Service"):
        plan_for(make_spec(services=[first, service("b", serviceName=name)]))
