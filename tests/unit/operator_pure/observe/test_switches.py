"""What the status and the events say of a system that is paused, hibernates or may not trade."""

from dataclasses import replace
from typing import Any

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.observe.deletion import deletion_status
from trading_operator.observe.event_text import EventText
from trading_operator.observe.events import events_between
from trading_operator.observe.trading_system import trading_system_status
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Block
from unit.operator_pure.systems import NOW, OWNER, World, make_spec, plan_for, service

Status = dict[str, Any]


def _spec(**fields: Any) -> TradingSystemSpec:
    return make_spec(services=[service("feed"), service("strategy", "feed")], **fields)


def _status(spec: TradingSystemSpec, world: World, previous: Status | None = None) -> Status:
    applied = world.apply(plan_for(spec, world.observe()))
    return trading_system_status(applied, spec, world.observe(), previous, NOW)


def _conditions(status: Status) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def _message(status: Status, kind: str) -> str:
    return next(str(each["message"]) for each in status["conditions"] if each["type"] == kind)


def _lines(status: Status) -> dict[str, tuple[str, str]]:
    return {line["name"]: (line["state"], line["reason"]) for line in status["components"]}


def _settled() -> tuple[World, Status]:
    world = World()
    world.settle(_spec())
    return world, _status(_spec(), world)


def _reasons(events: list[EventText]) -> list[str]:
    return [event.reason for event in events]


def test_a_paused_system_that_serves_stays_ready_and_says_why_nothing_moves() -> None:
    world, before = _settled()
    status = _status(_spec(paused=True), world, before)
    found = _conditions(status)
    assert found["Available"] == ("True", "ComponentsServing")
    assert found["Ready"] == ("True", "Paused")
    assert found["Reconciling"] == ("False", "Paused")
    assert found["Stalled"] == ("False", "NothingStalled")
    assert _message(status, "Reconciling") == "spec.paused is true: nothing waits"
    assert _reasons(events_between(before, status)) == ["Paused"]
    assert events_between(status, _status(_spec(paused=True), world, status)) == []


def test_a_paused_system_counts_what_waits_and_goes_on_observing() -> None:
    world, before = _settled()
    services = [service("feed", image="app:2"), service("strategy", "feed")]
    changed = make_spec(paused=True, services=services)
    world.run_pods(healthy=lambda name: name != "feed")
    status = _status(changed, world, before)
    found = _conditions(status)
    assert found["Ready"] == ("False", "Paused")
    assert found["Degraded"][0] == "True"
    assert "Deployment momentum-feed" in _message(status, "Ready")
    assert _lines(status) == {
        "feed": ("Waiting", "Paused"),
        "strategy": ("Degraded", "DependencyLost"),
    }


def test_a_system_that_is_made_paused_says_that_nothing_was_started() -> None:
    status = _status(_spec(paused=True), World())
    assert _lines(status) == {"feed": ("Waiting", "Paused"), "strategy": ("Waiting", "Paused")}
    assert _conditions(status)["Available"] == ("False", "ComponentsNotServing")
    assert _conditions(status)["Reconciling"] == ("False", "Paused")
    assert status["componentsReady"] == "0/2"


def test_a_stop_is_told_step_by_step() -> None:
    world, before = _settled()
    asleep = _spec(hibernated=True)
    status = _status(asleep, world, before)
    assert _lines(status) == {
        "feed": ("Stopping", "WaitingForDependants"),
        "strategy": ("Stopping", "Stopping"),
    }
    assert "stops after strategy" in _message(status, "Ready")
    found = _conditions(status)
    assert found["Available"] == ("False", "Hibernated")
    assert found["Ready"] == ("False", "Hibernated")
    assert found["Reconciling"][0] == "True"
    assert found["Stalled"] == ("False", "NothingStalled")
    assert found["Degraded"] == ("False", "NothingDegraded")
    assert _reasons(events_between(before, status)) == ["Hibernated"]

    world.pods["strategy"] = replace(world.pods["strategy"], deleting=True, ready=False)
    status = _status(asleep, world, status)
    line = next(each for each in status["components"] if each["name"] == "strategy")
    assert "momentum-strategy-5d9f-x2k4z" in line["message"]


def test_a_system_that_hibernates_is_settled_and_neither_stalled_nor_degraded() -> None:
    world, before = _settled()
    world.settle(_spec(hibernated=True))
    status = _status(_spec(hibernated=True), world, before)
    assert set(_lines(status).values()) == {("Stopped", "Hibernated")}
    assert status["componentsReady"] == "0/2"
    found = _conditions(status)
    assert {kind: found[kind][0] for kind in ("Available", "Ready", "Reconciling", "Stalled")} == {
        "Available": "False",
        "Ready": "False",
        "Reconciling": "False",
        "Stalled": "False",
    }
    awake = _status(_spec(), world, status)
    assert _lines(awake) == {
        "feed": ("Starting", "PodsStarting"),
        "strategy": ("Waiting", "WaitingForDependency"),
    }


def test_the_state_that_was_handed_out_is_in_the_status_and_a_change_is_an_event() -> None:
    world, before = _settled()
    assert before["tradingState"] == "Active"
    assert events_between(None, {"tradingState": "Active"}) == []
    halted = _status(_spec(tradingState="Halted"), world, before)
    assert halted["tradingState"] == "Halted"
    (event,) = events_between(before, halted)
    assert (event.reason, event.message) == (
        "TradingStateChanged",
        "services are told Halted, before Active",
    )
    assert events_between(halted, halted) == []
    assert _reasons(events_between(halted, before)) == ["TradingStateChanged"]


def test_a_paused_system_shows_the_state_that_services_have_and_not_the_one_that_waits() -> None:
    world, before = _settled()
    halted = _status(_spec(tradingState="Halted", paused=True), world, before)
    assert halted["tradingState"] == "Halted"
    status = _status(_spec(tradingState="Active", paused=True), world, halted)
    assert status["tradingState"] == "Halted"
    assert "ConfigMap momentum-trading-state" in _message(status, "Reconciling")
    assert _conditions(status)["Ready"] == ("False", "Paused")


def test_a_paused_system_is_not_ready_while_any_object_waits() -> None:
    world, before = _settled()
    del world.children[Ref("Service", "momentum-feed")]
    status = _status(_spec(paused=True), world, before)
    assert set(_lines(status).values()) == {("Ready", "")}
    assert _conditions(status)["Ready"] == ("False", "Paused")


def test_a_deleted_system_that_stops_is_not_available() -> None:
    _, before = _settled()
    blocks = {"feed": Block("WaitingForDependants", "stops after strategy")}
    status = deletion_status(OWNER, blocks, NOW, before, NOW)
    assert _conditions(status)["Available"] == ("False", "Deleting")
