"""Events: once per change."""

from typing import Any

from trading_operator.observe.event_text import EventText
from trading_operator.observe.events import events_between


def _status(
    state: str = "Ready", reason: str = "", **conditions: tuple[str, str]
) -> dict[str, Any]:
    return {
        "components": [{"name": "app", "state": state, "reason": reason, "message": f"m {reason}"}],
        "conditions": [
            {"type": kind, "status": status, "reason": why, "message": f"m {why}"}
            for kind, (status, why) in conditions.items()
        ],
    }


def test_nothing_is_told_when_nothing_changed() -> None:
    status = _status("Blocked", "SecretNotFound", Ready=("True", "AllComponentsReady"))
    assert events_between(status, status) == []


def test_trouble_is_told_once_and_its_end_too() -> None:
    good, bad = _status(), _status("Degraded", "DependencyLost")
    assert events_between(good, bad) == [
        EventText("Warning", "DependencyLost", "m DependencyLost", "app")
    ]
    assert events_between(bad, bad) == []
    assert events_between(bad, good) == [EventText("Normal", "Recovered", "serves again", "app")]


def test_a_failing_start_is_told() -> None:
    failing = _status("Starting", "ImagePullFailed")
    (event,) = events_between(_status("Starting", "PodsStarting"), failing)
    assert (event.type, event.reason) == ("Warning", "ImagePullFailed")


def test_a_start_that_goes_well_makes_one_event() -> None:
    waiting = _status("Waiting", "WaitingForDependency", Ready=("False", "WaitingForDependency"))
    starting = _status("Starting", "PodsStarting", Ready=("False", "PodsStarting"))
    ready = _status(Ready=("True", "AllComponentsReady"))
    told = [
        *events_between(None, waiting),
        *events_between(waiting, starting),
        *events_between(starting, ready),
    ]
    assert told == [EventText("Normal", "Ready", "m AllComponentsReady")]


def test_an_invalid_spec_and_images_that_may_change_are_told() -> None:
    after = _status(Stalled=("True", "InvalidSpec"), ImagesPinned=("False", "UnpinnedImage"))
    assert [event.reason for event in events_between(None, after)] == [
        "InvalidSpec",
        "UnpinnedImage",
    ]
