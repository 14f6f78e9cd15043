"""What leaves, what stays, and what is never touched."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import Owner, build_metadata
from trading_operator.plan.observed import Ref
from trading_operator.plan.stored_revision import HISTORY_LIMIT
from trading_operator.plan.types import Plan
from unit.operator_pure.systems import (
    OWNER,
    World,
    datastore,
    make_pod,
    make_spec,
    objects_of,
    plan_for,
    service,
)


def _config_spec(content: str, **fields: Any) -> TradingSystemSpec:
    mount: dict[str, Any] = {"configs": [{"name": "settings", "mountPath": "/c"}]}
    return make_spec(
        configs=[{"name": "settings", "files": {"a": content}}],
        services=[service("app", **mount, **fields)],
    )


def test_a_removed_component_goes_with_all_it_had_but_its_data() -> None:
    world = World()
    world.settle(make_spec(datastores=[datastore()], services=[service("app")]))
    claim = Ref("PersistentVolumeClaim", "data-momentum-db-0")
    secret = Ref("Secret", "momentum-db-credentials")
    ours = build_metadata(OWNER, "x", {})
    world.children[secret] = {"kind": secret.kind, "metadata": ours}
    assert claim in world.children
    without = make_spec(services=[service("app")])
    plan = plan_for(without, world.observe())
    assert set(plan.prune) == {Ref("StatefulSet", "momentum-db"), Ref("Service", "momentum-db")}
    world.apply(plan)
    assert plan_for(without, world.observe()).prune == (Ref("NetworkPolicy", "momentum-db"),)


def test_a_shared_volume_that_left_the_spec_is_kept() -> None:
    world = World()
    volumes = [{"name": "models", "size": "1Gi"}]
    world.settle(make_spec(volumes=volumes, services=[service("app")]))
    assert Ref("PersistentVolumeClaim", "momentum-models") in world.children
    assert plan_for(make_spec(services=[service("app")]), world.observe()).prune == ()


def test_what_belongs_to_somebody_else_is_never_pruned() -> None:
    other = Owner("v1", "Other", "x", "desk", "other-uid", 1)
    ref = Ref("Deployment", "momentum-old")
    live = {"kind": "Deployment", "metadata": build_metadata(other, "x", {})}
    world = World(children={ref: {**live, "spec": {"template": {}}}})
    assert plan_for(make_spec(services=[service("app")]), world.observe()).prune == ()


def test_what_names_the_system_as_one_owner_of_several_is_never_pruned() -> None:
    ref = Ref("ConfigMap", "momentum-notes")
    metadata = build_metadata(OWNER, ref.name, {})
    (reference,) = metadata["ownerReferences"]
    shared = {**metadata, "ownerReferences": [{**reference, "controller": False}]}
    spec = make_spec(services=[service("app")])
    world = World()
    world.settle(spec)
    world.children[ref] = {"kind": ref.kind, "metadata": shared}
    assert plan_for(spec, world.observe()).prune == ()
    world.children[ref] = {"kind": ref.kind, "metadata": metadata}
    assert plan_for(spec, world.observe()).prune == (ref,)


def test_an_old_config_stays_while_a_pod_still_runs_with_it() -> None:
    world = World()
    world.settle(_config_spec("1"))
    old = next(ref for ref in world.children if ref.name.startswith("momentum-settings-"))
    rolling = plan_for(_config_spec("2"), world.observe())
    world.apply(rolling)
    _forget_history(world, rolling)
    assert plan_for(_config_spec("2"), world.observe()).prune == ()

    world.run_pods()
    assert plan_for(_config_spec("2"), world.observe()).prune == (old,)


def _forget_history(world: World, plan: Plan) -> None:
    world.children = {
        ref: live
        for ref, live in world.children.items()
        if ref.kind != "ControllerRevision" or ref == plan.rendering
    }


def test_a_config_stays_for_as_long_as_a_kept_revision_names_it() -> None:
    world = World()
    world.settle(_config_spec("0"))
    first = next(ref for ref in world.children if ref.name.startswith("momentum-settings-"))
    for number in range(1, HISTORY_LIMIT):
        world.settle(_config_spec(str(number)))
        assert first in world.children
    revisions = [ref for ref in world.children if ref.kind == "ControllerRevision"]
    assert len(revisions) == HISTORY_LIMIT
    world.settle(_config_spec("last"))
    assert first not in world.children
    revisions = [ref for ref in world.children if ref.kind == "ControllerRevision"]
    assert len(revisions) == HISTORY_LIMIT


def test_the_config_of_a_held_component_stays() -> None:
    world = World()
    world.settle(_config_spec("1"))
    old = next(ref for ref in world.children if ref.name.startswith("momentum-settings-"))
    needs = [{"name": "K", "secretKeyRef": {"name": "missing", "key": "key"}}]
    held = plan_for(_config_spec("2", env=needs), world.observe())
    assert held.components[0].block is not None
    assert held.prune == ()
    world.apply(held)
    world.pods.clear()
    assert old not in plan_for(_config_spec("2", env=needs), world.observe()).prune


def test_configs_are_immutable_and_named_by_their_content() -> None:
    first, second = (objects_of(plan_for(_config_spec(text)), "ConfigMap") for text in "12")
    assert first.keys() & second.keys() == {"momentum-trading-state"}
    config = next(each for name, each in first.items() if "-settings-" in name)
    assert config["immutable"] is True
    assert config["data"] == {"a": "1"}


def test_a_config_that_two_services_mount_is_made_once() -> None:
    mount = {"configs": [{"name": "settings", "mountPath": "/c"}]}
    spec = make_spec(
        configs=[{"name": "settings", "files": {"a": "1"}}],
        services=[service("a", **mount), service("b", **mount)],
    )
    names = [m["metadata"]["name"] for m in plan_for(spec).objects]
    assert sum(name.startswith("momentum-settings-") for name in names) == 1


def test_a_pod_of_an_old_template_is_replaced_once_the_controller_knows_the_new_one() -> None:
    world = World()
    world.settle(make_spec(services=[service("s", workload="SingleWriter")]))
    changed = make_spec(services=[service("s", workload="SingleWriter", image="app:2")])
    plan = plan_for(changed, world.observe())
    assert plan.replace_pods == ()
    world.apply(plan)

    ref = Ref("StatefulSet", "momentum-s")
    live = world.children[ref]
    unseen = {**live, "metadata": {**live["metadata"], "generation": 2}}
    unseen["status"] = {"observedGeneration": 1}
    lagging = world.observe(children={**world.children, ref: unseen})
    assert plan_for(changed, lagging).replace_pods == ()

    assert plan_for(changed, world.observe()).replace_pods == ("momentum-s-0",)
    world.pods["s"] = make_pod("s", "old", ready=False, deleting=True)
    assert plan_for(changed, world.observe()).replace_pods == ()


def _with_template(world: World, name: str) -> None:
    ref = Ref("StatefulSet", "momentum-s")
    world.children[ref] = {**world.children[ref], "status": {"updateRevision": name}}


def test_a_pod_that_was_made_from_a_drifted_template_is_replaced() -> None:
    world = World()
    spec = make_spec(services=[service("s", workload="SingleWriter")])
    world.settle(spec)
    _with_template(world, "s-1")
    pod = world.pods["s"]
    world.pods["s"] = replace(pod, template="s-2")
    assert plan_for(spec, world.observe()).replace_pods == ("momentum-s-0",)
    world.pods["s"] = replace(pod, template="s-1")
    assert plan_for(spec, world.observe()).replace_pods == ()


BOTH = make_spec(datastores=[datastore()], services=[service("app"), service("bot", "db")])


def test_a_removed_service_ends_though_another_is_not_ready() -> None:
    world = World()
    world.settle(BOTH)
    rest = make_spec(datastores=[datastore()], services=[service("app")])
    world.pods["app"] = replace(world.pods["app"], ready=False)
    plan = plan_for(rest, world.observe())
    assert plan.prune == (Ref("Deployment", "momentum-bot"),)
    assert plan.left == ("bot",)
    world.apply(plan)
    assert plan_for(rest, world.observe()).left == ()


def test_a_database_that_leaves_with_its_user_ends_after_it() -> None:
    world = World()
    world.settle(BOTH)
    rest = make_spec(services=[service("app")])
    user = Ref("Deployment", "momentum-bot")
    plan = plan_for(rest, world.observe())
    assert set(plan.prune) == {user, Ref("Service", "momentum-bot")}
    pod = replace(world.pods["bot"], deleting=True)
    world.apply(plan)
    world.pods["bot"] = pod
    assert plan_for(rest, world.observe()).prune == ()
    del world.pods["bot"]
    database = {Ref("StatefulSet", "momentum-db"), Ref("Service", "momentum-db")}
    assert set(plan_for(rest, world.observe()).prune) >= database


@pytest.mark.parametrize("ended", [("", "Running"), ("app", "Failed"), ("bot", "Succeeded")])
def test_what_is_left_of_pods_that_ended_and_jobs_keep_nothing(ended: tuple[str, str]) -> None:
    world = World()
    world.settle(_config_spec("1"))
    old = next(ref for ref in world.children if ref.name.startswith("momentum-settings-"))
    rolling = plan_for(_config_spec("2"), world.observe())
    world.apply(rolling)
    _forget_history(world, rolling)
    world.run_pods()
    component, phase = ended
    world.pods["more"] = make_pod(component, "old", ready=False, name="x", phase=phase)
    assert plan_for(_config_spec("2"), world.observe()).prune == (old,)
