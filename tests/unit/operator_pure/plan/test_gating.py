"""Health gates: what starts, what waits, what stays."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Plan
from unit.operator_pure.systems import (
    World,
    acyclic_specs,
    component_names,
    container_of,
    datastore,
    later,
    make_spec,
    objects_of,
    plan_for,
    service,
)


def _block(plan: Plan, component: str) -> str:
    block = next(c.block for c in plan.components if c.name == component)
    return "" if block is None else block.message


@pytest.mark.acceptance("A41", "A53", "A54")
def test_a_required_dependency_must_be_ready_first() -> None:
    spec = make_spec(datastores=[datastore("db")], services=[service("app", "db")])
    world = World()
    first = plan_for(spec)
    assert component_names(first.objects) == ["db"]
    assert _block(first, "app") == "waits for db (required): not started"

    world.apply(first)
    world.run_pods(healthy=lambda _: False)
    second = plan_for(spec, world.observe())
    assert component_names(second.objects) == ["db"]
    assert _block(second, "app") == "waits for db (required): 0/1 pods ready"

    world.run_pods()
    assert component_names(plan_for(spec, world.observe()).objects) == ["db", "app"]


def test_independent_components_start_together() -> None:
    spec = make_spec(
        datastores=[datastore("db"), datastore("cache", "Redis")], services=[service("free")]
    )
    assert component_names(plan_for(spec).objects) == ["db", "cache", "free"]


@pytest.mark.acceptance("X26")
def test_an_optional_dependency_is_waited_for_a_bounded_time() -> None:
    spec = make_spec(datastores=[datastore("db")], services=[service("app", "db?")])
    world = World()
    plan = plan_for(spec)
    world.apply(plan)
    assert component_names(plan.objects) == ["db"]
    assert plan.requeue_after == timedelta(seconds=30)

    waiting = plan_for(spec, world.observe(), later(20))
    assert component_names(waiting.objects) == ["db"]
    assert waiting.requeue_after == timedelta(seconds=10)

    started = plan_for(spec, world.observe(), later(30))
    assert component_names(started.objects) == ["db", "app"]
    assert started.components[1].degraded == ("db",)
    # The database has no pod yet, so that its time has not begun.
    assert started.requeue_after == timedelta(minutes=5)


@pytest.mark.acceptance("X26")
def test_the_wait_for_an_optional_dependency_survives_a_restart_of_the_operator() -> None:
    spec = make_spec(datastores=[datastore("db")], services=[service("app", "db?")])
    world = World()
    world.apply(plan_for(spec))
    restarted = World(waiting_since=dict(world.waiting_since), children=world.children)
    assert plan_for(spec, restarted.observe(), later(29)).requeue_after == timedelta(seconds=1)


@pytest.mark.parametrize(
    "forged", ["9999-12-31T23:59:59Z", "2026-01-02T03:04:60Z", "0001-01-01T00:00:00+14:00", "soon"]
)
def test_a_forged_status_makes_nobody_wait_longer(forged: str) -> None:
    spec = make_spec(datastores=[datastore("db")], services=[service("app", "db?")])
    world = World()
    world.apply(plan_for(spec))
    world.waiting_since = {"app": forged}
    plan = plan_for(spec, world.observe())
    assert plan.requeue_after in (None, timedelta(seconds=30))
    world.apply(plan)
    assert component_names(plan_for(spec, world.observe(), later(30)).objects) == ["db", "app"]


def test_an_optional_dependency_that_is_ready_is_not_waited_for() -> None:
    spec = make_spec(datastores=[datastore("db")], services=[service("app", "db?")])
    world = World()
    world.apply(plan_for(spec))
    world.run_pods()
    plan = plan_for(spec, world.observe(), later(1))
    assert component_names(plan.objects) == ["db", "app"]
    assert plan.components[1].degraded == ()


def test_the_time_for_an_optional_dependency_runs_only_once_the_required_ones_are_there() -> None:
    spec = make_spec(
        datastores=[datastore("db"), datastore("cache", "Redis")],
        services=[service("app", "db", "cache?")],
    )
    plan = plan_for(spec)
    assert plan.components[2].waiting_since is None
    assert "cache (optional, at most 30s): not started" in _block(plan, "app")


@pytest.mark.acceptance("X04")
def test_a_dependency_that_fails_later_leaves_its_dependants_as_they_are() -> None:
    spec = make_spec(datastores=[datastore("db")], services=[service("app", "db")])
    world = World()
    settled = world.settle(spec)
    world.run_pods(healthy=lambda name: name != "db")
    plan = plan_for(spec, world.observe())
    assert plan.objects == settled.objects
    assert plan.prune == ()
    assert plan.components[1].missing == ("db",)


def test_a_changed_dependant_of_a_failed_dependency_is_not_rolled_until_it_is_back() -> None:
    spec = make_spec(datastores=[datastore("db")], services=[service("app", "db")])
    changed = make_spec(
        datastores=[datastore("db")], services=[service("app", "db", image="app:2")]
    )
    world = World()
    world.settle(spec)
    world.run_pods(healthy=lambda name: name != "db")
    held = plan_for(changed, world.observe())
    assert component_names(held.objects) == ["db"]
    assert held.prune == ()
    world.run_pods()
    assert component_names(plan_for(changed, world.observe()).objects) == ["db", "app"]


def test_a_dependant_changes_only_after_its_dependency_is_ready_at_the_new_revision() -> None:
    def spec(version: str) -> TradingSystemSpec:
        image = f"app:{version}"
        return make_spec(services=[service("a", image=image), service("b", "a", image=image)])

    world = World()
    world.settle(spec("1"))
    plan = plan_for(spec("2"), world.observe())
    world.apply(plan)
    assert component_names(plan.objects) == ["a"]
    assert _block(plan, "b") == "waits for a (required): not yet changed"

    plan = plan_for(spec("2"), world.observe())
    assert component_names(plan.objects) == ["a"]
    assert _block(plan, "b") == "waits for a (required): 0/1 pods ready"

    world.run_pods()
    assert container_of(plan_for(spec("2"), world.observe()), "b")["image"] == "app:2"


def test_a_component_without_pods_holds_nobody_up() -> None:
    spec = make_spec(services=[service("a", replicas=0), service("b", "a")])
    world = World()
    world.apply(plan_for(spec))
    assert component_names(plan_for(spec, world.observe()).objects) == ["a", "b"]


@settings(max_examples=120, deadline=None)
@given(acyclic_specs(), st.data())
def test_nothing_ever_starts_before_what_it_requires_is_ready(
    spec: TradingSystemSpec, data: st.DataObject
) -> None:
    world = World()
    required = {c.name: [d.name for d in c.depends_on if d.required] for c in spec.components}
    names = required.keys()
    for step in range(12):
        ready = {name for name, pod in world.pods.items() if pod.ready}
        now = later(data.draw(st.integers(0, 40)) + 40 * step)
        plan = plan_for(spec, world.observe(), now)
        before = set(component_names(world.children.values()))
        world.apply(plan)
        for started in set(component_names(world.children.values())) - before:
            assert set(required[started]) <= ready
        sick = data.draw(st.sets(st.sampled_from([c.name for c in spec.components])))
        world.run_pods(healthy=frozenset(names - sick).__contains__)


@settings(max_examples=80, deadline=None)
@given(acyclic_specs())
def test_every_acyclic_system_comes_up_and_then_costs_nothing(spec: TradingSystemSpec) -> None:
    world = World()
    for step in range(20):
        world.apply(plan_for(spec, world.observe(), later(60 * step)))
        world.run_pods()
    plan = plan_for(spec, world.observe(), later(60 * 21))
    world.apply(plan)
    assert all(component.block is None for component in plan.components)
    assert world.written == []
    assert (plan.prune, plan.replace_pods, plan.requeue_after) == ((), (), None)
    assert len(objects_of(plan, "Deployment")) + len(objects_of(plan, "StatefulSet")) == len(
        spec.components
    )


@settings(max_examples=50, deadline=None)
@given(acyclic_specs())
def test_planning_twice_gives_the_same_plan(spec: TradingSystemSpec) -> None:
    assert plan_for(spec) == plan_for(spec.model_copy(deep=True))


def _chain(**images: str) -> TradingSystemSpec:
    return make_spec(
        services=[
            service("a", image=f"app:{images.get('a', '1')}"),
            service("b", "a", image=f"app:{images.get('b', '1')}"),
            service("c", "b", image=f"app:{images.get('c', '1')}"),
        ]
    )


def test_an_unchanged_component_between_two_changed_ones_passes_the_order_on() -> None:
    world = World()
    world.settle(_chain())
    changed = _chain(a="2", c="2")
    plan = plan_for(changed, world.observe())
    world.apply(plan)
    assert _block(plan, "c") == "waits for a (required by what it requires): not yet changed"
    assert _written(world) == ["a"]

    world.apply(plan_for(changed, world.observe()))
    assert _written(world) == []
    # The new a is Ready, and that cost b its readiness for a moment.
    world.run_pods(healthy=lambda name: name != "b")
    plan = plan_for(changed, world.observe())
    world.apply(plan)
    assert _block(plan, "c") == "waits for b (required): 0/1 pods ready"
    assert _written(world) == []

    world.run_pods()
    world.apply(plan_for(changed, world.observe()))
    assert _written(world) == ["c"]


def _written(world: World) -> list[str]:
    names = (ref.name for ref in world.written if ref.kind in ("Deployment", "StatefulSet"))
    return [name.removeprefix("momentum-") for name in names]


def test_an_optional_edge_passes_no_order_on() -> None:
    spec = make_spec(services=[service("a"), service("b", "a?"), service("c", "b")])
    changed = make_spec(
        services=[service("a", image="app:2"), service("b", "a?"), service("c", "b", image="app:2")]
    )
    world = World()
    world.settle(spec)
    world.apply(plan_for(changed, world.observe()))
    assert _written(world) == ["a", "c"]


def _scaled(replicas: int) -> TradingSystemSpec:
    return make_spec(
        datastores=[datastore("db")], services=[service("app", "db", replicas=replicas)]
    )


def test_nothing_is_scaled_up_while_a_required_dependency_is_away() -> None:
    world = World()
    world.settle(_scaled(1))
    world.run_pods(healthy=lambda name: name != "db")
    plan = plan_for(_scaled(3), world.observe())
    world.apply(plan)
    assert _written(world) == []
    assert _block(plan, "app") == "waits for db (required): 0/1 pods ready"
    assert plan.components[1].missing == ("db",)
    world.run_pods()
    world.apply(plan_for(_scaled(3), world.observe()))
    assert _written(world) == ["app"]


def test_fewer_pods_are_no_start_and_need_no_dependency() -> None:
    world = World()
    world.settle(_scaled(3), rounds=3)
    world.run_pods(healthy=lambda name: name != "db")
    world.apply(plan_for(_scaled(0), world.observe()))
    assert _written(world) == ["app"]


def test_a_dependant_that_somebody_deleted_meanwhile_is_not_made_anew() -> None:
    spec = _scaled(1)
    world = World()
    world.settle(spec)
    world.run_pods(healthy=lambda name: name != "db")
    del world.children[Ref("Deployment", "momentum-app")]
    del world.pods["app"]
    plan = plan_for(spec, world.observe())
    world.apply(plan)
    assert _written(world) == []
    assert _block(plan, "app") == "waits for db (required): 0/1 pods ready"
    world.run_pods()
    world.apply(plan_for(spec, world.observe()))
    assert _written(world) == ["app"]


@pytest.mark.parametrize("replicas", [0, 1])
def test_what_somebody_changed_by_hand_is_put_back_once_that_rolls_no_pod_without_its_dependency(
    replicas: int,
) -> None:
    spec = _scaled(2)
    world = World()
    world.settle(spec, rounds=3)
    ref = Ref("Deployment", "momentum-app")
    live = world.children[ref]
    world.children[ref] = {**live, "spec": {**live["spec"], "replicas": replicas}}
    world.run_pods(healthy=lambda name: name != "db")
    world.apply(plan_for(spec, world.observe()))
    assert _written(world) == []
    world.run_pods()
    world.apply(plan_for(spec, world.observe()))
    assert _written(world) == ["app"]


def test_no_pod_is_replaced_while_anything_that_it_requires_through_others_is_away() -> None:
    def spec(version: str) -> TradingSystemSpec:
        writer = service("c", "b", workload="SingleWriter", image=f"app:{version}")
        return make_spec(services=[service("a"), service("b", "a"), writer])

    world = World()
    world.settle(spec("1"))
    world.apply(plan_for(spec("2"), world.observe()))
    # The template is written; then a goes away before the old pod was replaced.
    world.run_pods(healthy=lambda name: name != "a")
    assert plan_for(spec("2"), world.observe()).replace_pods == ()
    world.run_pods()
    assert plan_for(spec("2"), world.observe()).replace_pods == ("momentum-c-0",)


def test_an_optional_dependency_that_fails_later_is_named_and_holds_nothing() -> None:
    def spec(version: str) -> TradingSystemSpec:
        return make_spec(
            datastores=[datastore("db")], services=[service("app", "db?", image=f"app:{version}")]
        )

    world = World()
    world.settle(spec("1"))
    world.run_pods(healthy=lambda name: name != "db")
    plan = plan_for(spec("1"), world.observe())
    assert plan.components[1].degraded == ("db",)
    assert plan.components[1].block is None
    waiting = plan_for(spec("2"), world.observe())
    assert waiting.requeue_after == timedelta(seconds=30)
    world.apply(waiting)
    assert _written(world) == []
    world.apply(plan_for(spec("2"), world.observe(), later(31)))
    assert _written(world) == ["app"]
