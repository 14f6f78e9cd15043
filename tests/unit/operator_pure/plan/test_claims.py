"""Claims: whom they go with, and when a new password may be made for one."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.manifests.metadata import MADE_FOR_ANNOTATION, Manifest
from trading_operator.plan.deletion import needs_ordered_stop, plan_ending
from trading_operator.plan.types import Block, Plan, Ref, SecretFacts
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
SECRET = "momentum-db-credentials"
STORE = make_spec(datastores=[datastore()])


def _owners(plan: Plan, name: str) -> list[str]:
    metadata = objects_of(plan, KIND)[name]["metadata"]
    return [each["uid"] for each in metadata["ownerReferences"]]


def _block(plan: Plan) -> Block:
    block = plan.components[0].block
    assert block is not None
    return block


def _left(phase: str = "Bound", made_for: str = "", **metadata: Any) -> Manifest:
    annotations = {MADE_FOR_ANNOTATION: made_for} if made_for else {}
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
    assert not needs_ordered_stop(plain, world.observe())
    assert needs_ordered_stop(writer, world.observe())
    world.settle(plain)
    assert not needs_ordered_stop(plain, world.observe())
    world = World()
    world.settle(writer)
    assert needs_ordered_stop(plain, world.observe())


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
