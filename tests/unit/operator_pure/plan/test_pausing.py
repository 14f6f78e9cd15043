"""A paused system: nothing is written, and what waits is known."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.types import Plan
from unit.operator_pure.systems import (
    World,
    acyclic_specs,
    datastore,
    later,
    make_spec,
    plan_for,
    service,
)

FILE = Ref("ConfigMap", "momentum-trading-state")


def _spec(paused: bool, **fields: object) -> TradingSystemSpec:
    return make_spec(
        paused=paused, datastores=[datastore("db")], services=[service("app", "db", **fields)]
    )


def _writes(plan: Plan) -> tuple[object, ...]:
    told = plan.trading_state.pods if plan.trading_state else ()
    return (
        *plan.objects,
        *plan.generated_secrets,
        *plan.prune,
        *plan.recreate,
        *plan.replace_pods,
        *told,
    )


def test_a_new_system_that_is_paused_starts_nothing_and_says_so_of_each_component() -> None:
    plan = plan_for(_spec(paused=True))
    assert _writes(plan) == ()
    assert [c.block.reason for c in plan.components if c.block] == ["Paused", "Paused"]
    assert plan.requeue_after is None


def test_a_settled_system_that_is_paused_has_nothing_to_write() -> None:
    world = World()
    world.settle(_spec(paused=False))
    plan = plan_for(_spec(paused=True), world.observe())
    assert plan.withheld == ()
    assert [component.block for component in plan.components] == [None, None]


def test_a_change_waits_and_is_named_and_comes_when_the_pause_ends() -> None:
    world = World()
    world.settle(_spec(paused=False))
    plan = plan_for(_spec(paused=True, image="app:2"), world.observe())
    assert _writes(plan) == ()
    assert Ref("Deployment", "momentum-app") in plan.withheld
    assert plan.components[0].block is None
    assert plan.components[1].block is not None
    changed = world.settle(_spec(paused=False, image="app:2"))
    assert changed.withheld == ()


def test_a_child_that_somebody_deletes_stays_away_until_the_pause_ends() -> None:
    world = World()
    world.settle(_spec(paused=False))
    del world.children[Ref("Service", "momentum-app")]
    plan = plan_for(_spec(paused=True), world.observe())
    assert _writes(plan) == ()
    assert plan.withheld == (Ref("Service", "momentum-app"),)


def test_what_left_the_spec_and_a_pod_of_an_old_template_stay() -> None:
    writer = service("s", workload="SingleWriter")
    world = World()
    world.settle(make_spec(services=[writer, service("app")]))
    changed = {**writer, "image": "app:2"}
    world.apply(plan_for(make_spec(services=[changed, service("app")]), world.observe()))
    plan = plan_for(make_spec(paused=True, services=[changed]), world.observe())
    assert _writes(plan) == ()
    assert Ref("Pod", "momentum-s-0") in plan.withheld


def _trading(state: str, paused: bool = True) -> TradingSystemSpec:
    parts = {"datastores": [datastore("db")], "services": [service("app", "db")]}
    return make_spec(paused=paused, tradingState=state, **parts)


POD = "momentum-app-5d9f-x2k4z"


def test_a_stricter_trading_state_is_handed_out_alone_and_a_looser_one_waits() -> None:
    world = World()
    world.settle(_trading("Active", paused=False))
    plan = plan_for(_trading("Halted"), world.observe())
    assert [ref_of(each) for each in plan.objects] == [FILE]
    assert _writes(plan)[1:] == (POD,)
    assert plan.withheld == ()
    world.apply(plan)
    world.pods["app"] = replace(world.pods["app"], trading_state="Halted")
    assert _writes(plan_for(_trading("Halted"), world.observe())) == ()
    looser = plan_for(_trading("ReduceOnly"), world.observe())
    assert _writes(looser) == ()
    assert looser.withheld == (FILE, Ref("Pod", POD))


def test_a_halt_that_was_written_and_not_yet_told_is_told_while_paused() -> None:
    world = World()
    world.settle(_trading("Halted", paused=False))
    plan = plan_for(_trading("Halted"), world.observe())
    assert _writes(plan) == (POD,)
    assert plan.withheld == ()


def test_a_pause_stops_a_stop() -> None:
    world = World()
    world.settle(_spec(paused=False))
    asleep = _spec(paused=True).model_copy(update={"hibernated": True})
    plan = plan_for(asleep, world.observe())
    assert _writes(plan) == ()
    assert [c.block.reason for c in plan.components if c.block] == ["Paused", "Paused"]
    assert not any(component.stops for component in plan.components)


def test_what_a_person_must_mend_is_told_though_it_is_paused() -> None:
    env = [{"name": "K", "secretKeyRef": {"name": "gone", "key": "key"}}]
    world = World()
    world.settle(make_spec(datastores=[datastore("db")]))
    plan = plan_for(_spec(paused=True, env=env), world.observe())
    assert plan.components[1].block is not None
    assert plan.components[1].block.reason == "SecretNotFound"


def test_the_wait_for_an_optional_dependency_begins_when_the_pause_ends() -> None:
    def spec(paused: bool) -> TradingSystemSpec:
        return make_spec(
            paused=paused, datastores=[datastore("db")], services=[service("app", "db?")]
        )

    world = World()
    world.apply(plan_for(spec(paused=True), world.observe()))
    assert world.waiting_since == {}
    plan = plan_for(spec(paused=False), world.observe(), later(3600))
    assert plan.components[1].block is not None


@settings(max_examples=40, deadline=None)
@given(acyclic_specs(), acyclic_specs())
def test_no_change_of_a_paused_system_writes_anything(
    before: TradingSystemSpec, after: TradingSystemSpec
) -> None:
    world = World()
    world.settle(before)
    plan = plan_for(after.model_copy(update={"paused": True}), world.observe())
    assert _writes(plan) == ()


@pytest.mark.parametrize("paused", [True, False])
def test_a_pause_is_no_change_of_the_system(paused: bool) -> None:
    assert plan_for(_spec(paused=paused)).revision == plan_for(_spec(paused=False)).revision
