"""Claims: whom they go with, and when a new password may be made for one."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import MADE_FOR_ANNOTATION, Manifest
from trading_operator.plan.deletion import (
    needs_ordered_stop,
    plan_ending,
    plan_release,
    were_orphaned,
)
from trading_operator.plan.observed import Ref, SecretFacts
from trading_operator.plan.types import Block, Plan
from unit.operator_pure.systems import (
    OPERAND,
    OWNER,
    World,
    datastore,
    make_spec,
    objects_of,
    plan_for,
    service,
)

KIND = "PersistentVolumeClaim"
DATA = Ref(KIND, "data-momentum-db-0")
WORKLOAD = Ref("StatefulSet", "momentum-db")
SECRET = "momentum-db-credentials"
STORE = make_spec(datastores=[datastore()])


def _owners(plan: Plan, name: str) -> list[str]:
    metadata = objects_of(plan, KIND)[name]["metadata"]
    return [each["uid"] for each in metadata["ownerReferences"]]


def _block(plan: Plan) -> Block:
    block = plan.components[0].block
    assert block is not None
    return block


def _waits(spec: TradingSystemSpec, world: World) -> bool:
    return needs_ordered_stop(spec, world.observe(), plan_for(spec, world.observe()))


def _left(phase: str = "Bound", made_for: str = "", node: str = "", **metadata: Any) -> Manifest:
    annotations = {MADE_FOR_ANNOTATION: made_for} if made_for else {}
    if node:
        annotations["volume.kubernetes.io/selected-node"] = node
    return {
        "kind": KIND,
        "metadata": {"name": DATA.name, "uid": "claim", "annotations": annotations, **metadata},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": phase},
    }


def test_policy_delete_makes_the_system_own_its_claims_and_retain_frees_them() -> None:
    volumes = [{"name": "models", "size": "1Gi"}]
    parts: dict[str, Any] = {"datastores": [datastore()], "volumes": volumes}
    world = World()
    world.settle(make_spec(**parts))
    for policy, owners in (("Delete", [OWNER.uid]), ("Retain", [])):
        plan = plan_for(make_spec(**parts, deletion={"volumes": policy}), world.observe())
        assert _owners(plan, DATA.name) == owners
        assert _owners(plan, "momentum-models") == owners


def test_the_class_that_the_server_gives_a_claim_is_no_change() -> None:
    spec = make_spec(datastores=[datastore()], volumes=[{"name": "models", "size": "1Gi"}])
    world = World()
    world.settle(spec)
    for live in world.children.values():
        if live["kind"] == KIND:
            live["spec"]["storageClassName"] = "standard"
    world.apply(plan_for(spec, world.observe()))
    assert world.written == []


def test_a_claim_that_left_the_spec_is_freed_and_then_nobody_elses_business() -> None:
    policy = {"volumes": "Delete"}
    world = World()
    world.settle(make_spec(datastores=[datastore()], deletion=policy))
    without = make_spec(services=[service("app")], deletion=policy)
    plan = plan_for(without, world.observe())
    assert _owners(plan, DATA.name) == []
    assert objects_of(plan, KIND)[DATA.name]["spec"] == world.children[DATA]["spec"]
    world.apply(plan)
    assert objects_of(plan_for(without, world.observe()), KIND) == {}


@pytest.mark.parametrize(
    ("claim", "opened", "lost"),
    [
        (_left("Pending"), {}, False),
        (_left(made_for=OWNER.uid), {}, False),
        (_left(made_for=OWNER.uid), {"db": "another claim"}, False),
        (_left(made_for=OWNER.uid), {"db": "claim"}, True),
        (_left(made_for="a former system"), {}, True),
        # A pod was scheduled, and the operator ended before it could say so.
        (_left(made_for=OWNER.uid, node="worker"), {}, True),
        (_left("Pending", made_for=OWNER.uid, node="worker"), {}, False),
        (_left(), {}, True),
    ],
)
def test_a_new_password_is_made_only_for_a_volume_that_surely_holds_nothing(
    claim: Manifest, opened: dict[str, str], lost: bool
) -> None:
    seen = World(children={DATA: claim}).observe(opened=opened)
    plan = plan_for(STORE, seen)
    assert bool(plan.generated_secrets) is not lost
    if lost:
        assert _block(plan).reason == "CredentialsLost"


def test_a_kept_claim_keeps_saying_which_system_made_it() -> None:
    world = World(children={DATA: _left(made_for="a former system")})
    secret = SecretFacts(SECRET, frozenset({"password"}), "d", {}, frozenset({"claim"}))
    claim = objects_of(plan_for(STORE, world.observe(secrets={SECRET: secret})), KIND)[DATA.name]
    assert claim["metadata"]["annotations"][MADE_FOR_ANNOTATION] == "a former system"


def test_what_a_former_volume_left_behind_is_waited_for() -> None:
    secret = SecretFacts(SECRET, frozenset({"password"}), "d", {}, frozenset({"a former claim"}))
    plan = plan_for(STORE, World().observe(secrets={SECRET: secret}))
    assert _block(plan).reason == "WaitingForRemoval"
    ending = _left(deletionTimestamp="2026-01-01T00:00:00Z")
    plan = plan_for(STORE, World(children={DATA: ending}).observe())
    assert _block(plan).reason == "WaitingForRemoval"
    assert plan.generated_secrets == ()


def test_a_volume_without_class_is_blocked_where_there_is_no_default() -> None:
    seen = World().observe(storage_classes=frozenset({"fast"}))
    block = _block(plan_for(STORE, seen))
    assert block.reason == "NoDefaultStorageClass"
    assert block.message.startswith("datastores[0].storage.storageClassName is not set")
    assert plan_for(STORE, replace(seen, default_storage_class="fast")).components[0].block is None


def test_growth_that_the_class_does_not_allow_is_not_asked_for() -> None:
    world = World()
    fast = {"storageClassName": "fast"}
    world.settle(make_spec(datastores=[datastore(storage={"size": "1Gi", **fast})]))
    grown = make_spec(datastores=[datastore(storage={"size": "2Gi", **fast})])
    plan = plan_for(grown, world.observe(fixed_classes=frozenset({"fast"})))
    assert _block(plan).reason == "VolumeCannotGrow"
    claim = objects_of(plan, KIND)[DATA.name]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"


def test_only_single_writers_need_an_ordered_stop_also_one_that_left_the_spec() -> None:
    plain = make_spec(datastores=[datastore()], services=[service("app", "db")])
    writer = make_spec(services=[service("app", workload="SingleWriter")])
    world = World()
    assert not _waits(plain, world)
    assert _waits(writer, world)
    world.settle(plain)
    assert not _waits(plain, world)
    world = World()
    world.settle(writer)
    assert _waits(plain, world)


def test_a_system_waits_for_the_pods_of_a_statefulset_that_is_made_anew() -> None:
    world = World()
    world.settle(STORE)
    live = world.children[WORKLOAD]
    world.children[WORKLOAD] = {**live, "spec": {**live["spec"], "serviceName": "former"}}
    assert _waits(STORE, world)
    del world.children[WORKLOAD]
    world.pods["db"] = replace(world.pods["db"], controlled=False)
    assert _waits(STORE, world)
    ending = plan_ending(OWNER, STORE, world.observe(), OPERAND)
    assert (ending.done, ending.plan.replace_pods) == (False, (world.pods["db"].name,))
    world.pods["db"] = replace(world.pods["db"], deleting=True)
    ending = plan_ending(OWNER, STORE, world.observe(), OPERAND)
    assert (ending.done, ending.plan.replace_pods) == (False, ())
    del world.pods["db"]
    assert plan_ending(OWNER, STORE, world.observe(), OPERAND).done


def test_what_the_garbage_collector_freed_is_not_stopped() -> None:
    world = World()
    assert not were_orphaned(OWNER, world.observe())
    world.settle(STORE)
    assert not were_orphaned(OWNER, world.observe())
    del world.children[WORKLOAD]["metadata"]["ownerReferences"]
    assert were_orphaned(OWNER, world.observe())


def test_a_pod_that_is_left_behind_goes_at_its_turn() -> None:
    spec = make_spec(datastores=[datastore()], services=[service("app", "db")])
    world = World()
    world.settle(spec)
    del world.children[WORKLOAD]
    world.pods["db"] = replace(world.pods["db"], controlled=False)
    assert plan_ending(OWNER, spec, world.observe(), OPERAND).plan.replace_pods == ()
    del world.pods["app"]
    app = world.children[Ref("Deployment", "momentum-app")]
    app["spec"]["replicas"] = 0
    replaced = plan_ending(OWNER, spec, world.observe(), OPERAND).plan.replace_pods
    assert replaced == (world.pods["db"].name,)


def test_an_ordered_stop_makes_nothing_and_prunes_no_claim() -> None:
    spec = make_spec(
        datastores=[datastore()], services=[service("app", "db", workload="SingleWriter")]
    )
    world = World()
    world.settle(spec)
    for wanted in (spec, None):
        ending = plan_ending(OWNER, wanted, world.observe(), OPERAND)
        assert not ending.done
        assert set(ending.blocks) == {"app", "db"}
        planned = {(each["kind"], each["metadata"]["name"]) for each in ending.plan.objects}
        assert planned <= set(world.children)
        assert DATA not in ending.plan.prune
        assert ending.plan.generated_secrets == ()


def test_a_volume_that_left_the_spec_counts_as_opened_when_it_returns() -> None:
    world = World()
    world.settle(STORE)
    world.settle(make_spec(services=[service("app")]))
    world.secrets.clear()
    world.children[DATA]["status"] = {"phase": "Bound"}
    plan = plan_for(STORE, world.observe())
    assert plan.generated_secrets == ()
    store = next(each for each in plan.components if each.name == "db")
    assert store.block is not None
    assert store.block.reason == "CredentialsLost"


CYCLE = [service("a", "b"), service("b", "a")]


@pytest.mark.parametrize("services", [[], CYCLE])
@pytest.mark.parametrize(("before", "after"), [("Delete", "Retain"), ("Retain", "Delete")])
def test_the_policy_of_the_last_moment_holds_for_every_volume_even_at_once(
    services: list[dict[str, Any]], before: str, after: str
) -> None:
    def spec(policy: str, *parts: dict[str, Any]) -> TradingSystemSpec:
        volumes = [{"name": "models", "size": "1Gi"}]
        stores = [datastore()]
        deletion = {"volumes": policy}
        return make_spec(datastores=stores, volumes=volumes, services=parts, deletion=deletion)

    world = World()
    world.settle(spec(before))
    owners = [OWNER.uid] if after == "Delete" else []
    last = spec(after, *services)
    for plan in (
        plan_release(OWNER, last, world.observe()),
        plan_ending(OWNER, last, world.observe(), OPERAND).plan,
    ):
        assert _owners(plan, DATA.name) == owners
        assert _owners(plan, "momentum-models") == owners
    same = plan_release(OWNER, spec(before, *services), world.observe())
    assert same.objects == ()


def test_a_spec_that_cannot_be_read_takes_no_data_along() -> None:
    world = World()
    world.settle(make_spec(datastores=[datastore()], deletion={"volumes": "Delete"}))
    assert _owners(plan_release(OWNER, None, world.observe()), DATA.name) == []
