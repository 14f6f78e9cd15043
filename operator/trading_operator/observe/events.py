"""Events: once per change, told from two statuses."""

from collections.abc import Iterator, Mapping
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.trading_system import ComponentState, TradingState
from trading_operator.observe.event_text import NORMAL, WARNING, EventText
from trading_operator.observe.rollout_events import rollout_events

_TROUBLE = frozenset({ComponentState.BLOCKED.value, ComponentState.DEGRADED.value})
_FAILING_STARTS = frozenset({reasons.IMAGE_PULL_FAILED, reasons.CONTAINER_FAILED})
_RECOVERED = "Recovered"
# Somebody switched the system: told once, by one condition of those that say it.
_SWITCHED = {
    reasons.RECONCILING: (reasons.PAUSED,),
    reasons.AVAILABLE: (reasons.HIBERNATED, reasons.RESTORING),
}


def events_between(
    previous: Mapping[str, Any] | None, current: Mapping[str, Any]
) -> list[EventText]:
    """Return what changed between two statuses and is worth telling.

    A start that goes well makes one event in all: its steps are in the status.
    """
    before = previous or {}
    return [
        *_component_events(before, current),
        *_condition_events(before, current),
        *_trading_state_events(before, current),
        *rollout_events(before, current),
    ]


def _component_events(
    previous: Mapping[str, Any], current: Mapping[str, Any]
) -> Iterator[EventText]:
    former = {line["name"]: line for line in previous.get("components") or ()}
    for line in current.get("components") or ():
        before = former.get(line["name"], {})
        if _in_trouble(line) and line["reason"] != before.get("reason"):
            yield EventText(WARNING, line["reason"], line["message"], line["name"])
        elif line["state"] == ComponentState.READY and _in_trouble(before):
            yield EventText(NORMAL, _RECOVERED, "serves again", line["name"])


def _in_trouble(line: Mapping[str, Any]) -> bool:
    return line.get("state") in _TROUBLE or line.get("reason") in _FAILING_STARTS


def _condition_events(
    previous: Mapping[str, Any], current: Mapping[str, Any]
) -> Iterator[EventText]:
    former = {condition["type"]: condition for condition in previous.get("conditions") or ()}
    for condition in current.get("conditions") or ():
        kind, status = condition["type"], condition["status"]
        before = former.get(kind, {})
        if (status, condition["reason"]) == (before.get("status"), before.get("reason")):
            continue
        if condition["reason"] in _SWITCHED.get(kind, ()):
            yield EventText(NORMAL, condition["reason"], condition["message"])
        elif (kind, status) == (reasons.READY, "True") != (kind, before.get("status")):
            yield EventText(NORMAL, reasons.READY, condition["message"])
        elif (kind, status) == (reasons.IMAGES_PINNED, "False") or (
            kind == reasons.STALLED and _is_the_systems(status, condition["reason"])
        ):
            yield EventText(WARNING, condition["reason"], condition["message"])


def _trading_state_events(
    previous: Mapping[str, Any], current: Mapping[str, Any]
) -> Iterator[EventText]:
    before, now = previous.get("tradingState"), current.get("tradingState")
    # That a new system may trade is no change.
    if now is not None and now != (before or TradingState.ACTIVE):
        message = f"services are told {now}, before {before or 'nothing'}"
        yield EventText(NORMAL, reasons.TRADING_STATE_CHANGED, message)


def _is_the_systems(status: str, reason: str) -> bool:
    # A blocked component has an event of its own.
    return status == "True" and reason in (reasons.INVALID_SPEC, reasons.REFUSED)
