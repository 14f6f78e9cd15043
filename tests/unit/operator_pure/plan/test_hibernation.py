"""Hibernation: everything stops in order, everything but pods stays, and it wakes in order."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import RESUME_ANNOTATION
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Manifest, Plan
from unit.operator_pure.systems import (
    NOW,
    World,
    acyclic_specs,
    datastore,
    make_spec,
    plan_for,
    service,
)

WORKER = Ref("Deployment", "momentum-worker")
AUTOSCALING = {"min": 2, "max": 9, "external": [{"metric": "tasks", "averageValue": "30"}]}


def _spec(hibernated: bool, version: str = "1", **fields: Any) -> TradingSystemSpec:
    image = f"app:{version}"
    return make_spec(
        hibernated=hibernated,
        datastores=[datastore("db")],
        services=[
            service("feed", "db", image=image),
            service("strategy", "feed", workload="SingleWriter", image=image),
        ],
        **fields,
    )


def _replicas(world: World) -> dict[str, int]:
    return {
        ref.name.removeprefix("momentum-"): live["spec"]["replicas"]
        for ref, live in world.children.items()
        if ref.kind in ("Deployment", "StatefulSet")
    }


def _pass(world: World, spec: TradingSystemSpec) -> Plan:
    plan = plan_for(spec, world.observe())
    world.apply(plan)
    return plan


def test_it_stops_dependants_first_and_one_after_the_other() -> None:
    world = World()
    world.settle(_spec(hibernated=False))
    steps = []
    for _ in range(3):
        _pass(world, _spec(hibernated=True))
        # Its pod is on its way out for a while: nothing else may stop meanwhile.
        _pass(world, _spec(hibernated=True))
        steps.append({name for name, count in _replicas(world).items() if count == 0})
        world.run_pods()
    assert steps == [{"strategy"}, {"strategy", "feed"}, {"strategy", "feed", "db"}]


def test_everything_but_pods_stays_and_a_hibernating_system_is_settled() -> None:
    world = World()
    world.settle(_spec(hibernated=False))
    before = set(world.children)
    world.settle(_spec(hibernated=True))
    assert set(world.children) == before
    assert world.pods == {}
    plan = _pass(world, _spec(hibernated=True))
    assert (world.written, plan.prune, plan.replace_pods) == ([], (), ())
    assert all(component.block is None for component in plan.components)


def test_what_never_started_is_not_made_while_it_hibernates() -> None:
    world = World()
    world.settle(_spec(hibernated=True))
    assert _replicas(world) == {}
    assert Ref("Service", "momentum-feed") in world.children


def test_it_wakes_as_it_started_and_does_not_start_what_waits_for_another() -> None:
    world = World()
    world.settle(_spec(hibernated=False))
    world.settle(_spec(hibernated=True))
    steps = []
    for _ in range(3):
        _pass(world, _spec(hibernated=False))
        _pass(world, _spec(hibernated=False))
        steps.append({name for name, count in _replicas(world).items() if count})
        world.run_pods()
    assert steps == [{"db"}, {"db", "feed"}, {"db", "feed", "strategy"}]


def test_a_wake_in_the_middle_of_a_stop_goes_back_up_in_order() -> None:
    world = World()
    world.settle(_spec(hibernated=False))
    _pass(world, _spec(hibernated=True))
    world.run_pods()
    _pass(world, _spec(hibernated=True))
    world.run_pods()
    assert _replicas(world) == {"db": 1, "feed": 0, "strategy": 0}
    _pass(world, _spec(hibernated=False))
    assert _replicas(world) == {"db": 1, "feed": 1, "strategy": 0}
    world.run_pods()
    world.settle(_spec(hibernated=False))
    assert _replicas(world) == {"db": 1, "feed": 1, "strategy": 1}


def test_a_change_while_it_hibernates_comes_with_the_next_start() -> None:
    world = World()
    world.settle(_spec(hibernated=False))
    world.settle(_spec(hibernated=True))
    world.settle(_spec(hibernated=True, version="2"))
    assert _image(world) == "app:1"
    world.settle(_spec(hibernated=False, version="2"))
    assert _image(world) == "app:2"


def _image(world: World) -> str:
    live = world.children[Ref("Deployment", "momentum-feed")]
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_change_together_with_the_stop_rolls_nothing_on_the_way_down() -> None:
    world = World()
    world.settle(_spec(hibernated=False))
    changed = _spec(hibernated=True, version="2")
    for _ in range(4):
        plan = _pass(world, changed)
        assert plan.replace_pods == ()
        assert _image(world) == "app:1"
        world.run_pods()
    assert world.pods == {}


def test_a_component_that_is_blocked_stops_all_the_same() -> None:
    env = [{"name": "K", "secretKeyRef": {"name": "gone", "key": "key"}}]
    world = World()
    world.settle(_spec(hibernated=False))
    world.settle(_spec(hibernated=True, env=env))
    assert world.pods == {}


def _autoscaled(hibernated: bool, **fields: Any) -> TradingSystemSpec:
    worker = service("worker", **{"autoscaling": AUTOSCALING, **fields})
    return make_spec(hibernated=hibernated, services=[worker])


def _scaled(world: World, count: int) -> None:
    live = world.children[WORKER]
    world.children[WORKER] = {**live, "spec": {**live["spec"], "replicas": count}}


def _hibernating(count: int) -> World:
    world = World()
    _start(world, _autoscaled(hibernated=False))
    _scaled(world, count)
    world.run_pods()
    for _ in range(3):
        _pass(world, _autoscaled(hibernated=True))
        world.run_pods()
    return world


def _start(world: World, spec: TradingSystemSpec) -> Manifest:
    for _ in range(3):
        _pass(world, spec)
        world.run_pods()
    return world.children[WORKER]


def test_an_autoscaled_component_resumes_with_the_count_that_it_had() -> None:
    world = _hibernating(5)
    assert _replicas(world) == {"worker": 0}
    assert world.children[WORKER]["metadata"]["annotations"][RESUME_ANNOTATION] == "5"
    assert Ref("HorizontalPodAutoscaler", "momentum-worker") in world.children
    awake = _start(world, _autoscaled(hibernated=False))
    assert awake["spec"]["replicas"] == 5
    assert RESUME_ANNOTATION not in awake["metadata"]["annotations"]


def test_a_raised_minimum_counts_more_than_the_remembered_count() -> None:
    world = _hibernating(3)
    raised = _autoscaled(hibernated=False, autoscaling={**AUTOSCALING, "min": 6})
    assert _start(world, raised)["spec"]["replicas"] == 6


def test_a_component_that_is_no_longer_autoscaled_wakes_with_what_the_spec_says() -> None:
    world = _hibernating(5)
    fixed = make_spec(services=[service("worker", replicas=2)])
    awake = _start(world, fixed)
    assert awake["spec"]["replicas"] == 2
    assert RESUME_ANNOTATION not in awake["metadata"]["annotations"]


def test_a_count_that_somebody_spoiled_wakes_the_least() -> None:
    world = _hibernating(5)
    live = world.children[WORKER]
    spoiled = {**live["metadata"]["annotations"], RESUME_ANNOTATION: "many"}
    world.children[WORKER] = {**live, "metadata": {**live["metadata"], "annotations": spoiled}}
    world.settle(_autoscaled(hibernated=True))
    assert _start(world, _autoscaled(hibernated=False))["spec"]["replicas"] == 2


def test_what_left_the_spec_goes_and_what_hibernates_keeps_its_config() -> None:
    mount = {"configs": [{"name": "settings", "mountPath": "/c"}]}
    configs = [{"name": "settings", "files": {"a": "1"}}]
    both = make_spec(configs=configs, services=[service("a", **mount), service("b")])
    world = World()
    world.settle(both)
    changed = make_spec(
        hibernated=True,
        configs=[{"name": "settings", "files": {"a": "2"}}],
        services=[service("a", **mount)],
    )
    world.settle(changed)
    names = {ref.name for ref in world.children if ref.kind in ("Deployment", "Service")}
    assert names == {"momentum-a"}
    configured = [ref for ref in world.children if ref.name.startswith("momentum-settings-")]
    assert len(configured) == 2


@settings(max_examples=40, deadline=None)
@given(acyclic_specs())
def test_any_system_sleeps_and_wakes_to_what_it_was(spec: TradingSystemSpec) -> None:
    world = World()
    world.settle(spec)
    before = _replicas(world)
    asleep = spec.model_copy(update={"hibernated": True})
    world.settle(asleep)
    assert set(_replicas(world).values()) <= {0}
    world.settle(spec)
    assert _replicas(world) == before
    assert replace(plan_for(spec, world.observe(), NOW), objects=()).prune == ()
