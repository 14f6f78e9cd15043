"""Events of a ModelTrainingJob: once per change, told from two statuses."""

from collections.abc import Iterator, Mapping
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.model_training_status import HistoryEvent, RunOutcome
from trading_operator.observe.event_text import NORMAL, WARNING, EventText

_HISTORY = {
    HistoryEvent.PROMOTED: (NORMAL, reasons.MODEL_PROMOTED),
    HistoryEvent.KEPT: (NORMAL, reasons.MODEL_KEPT),
    HistoryEvent.ROLLED_BACK: (WARNING, reasons.MODEL_ROLLED_BACK),
    HistoryEvent.REFUSED: (WARNING, reasons.GATE_FAILED),
}
# What has an event of its own that says more.
_TOLD_ELSEWHERE = frozenset({reasons.TRAINING_FAILED})


def training_events(
    previous: Mapping[str, Any] | None, current: Mapping[str, Any]
) -> list[EventText]:
    """Return what changed between two statuses and is worth telling."""
    before = previous or {}
    return [
        *_run(before, current),
        *_history(before, current),
        *_missed(before, current),
        *_stalled(before, current),
    ]


def _run(before: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    run, former = current.get("run") or {}, before.get("run") or {}
    same = run.get("number") == former.get("number")
    if not run or (same and run.get("outcome") == former.get("outcome")):
        return
    number, outcome = run.get("number"), run.get("outcome")
    if outcome == RunOutcome.FAILED:
        parts = (f"run {number}", run.get("reason"), run.get("message"))
        yield EventText(WARNING, reasons.TRAINING_FAILED, ": ".join(filter(None, parts)))
    elif outcome == RunOutcome.SUCCEEDED:
        told = f"run {number} trained {(current.get('version') or {}).get('id')}"
        yield EventText(NORMAL, reasons.TRAINING_SUCCEEDED, told)
    elif outcome == RunOutcome.RUNNING:
        yield EventText(NORMAL, reasons.TRAINING_RUNNING, f"run {number} begins")


def _history(before: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    known = max((each["sequence"] for each in before.get("promotionHistory") or ()), default=0)
    for each in current.get("promotionHistory") or ():
        if each["sequence"] > known:
            kind, reason = _HISTORY[HistoryEvent(each["event"])]
            yield EventText(kind, reason, f"{each['version']}: {each.get('why') or ''}")


def _missed(before: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    count = current.get("missedRuns", 0) - before.get("missedRuns", 0)
    if count > 0:
        yield EventText(WARNING, reasons.TRAINING_MISSED, f"{count} scheduled runs never began")


def _stalled(before: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    now, former = _find_stalled(current), _find_stalled(before)
    reason = now.get("reason", "")
    same = (reason, now.get("status")) == (former.get("reason"), former.get("status"))
    if now.get("status") == "True" and not same and reason not in _TOLD_ELSEWHERE:
        yield EventText(WARNING, reason, str(now.get("message", "")))


def _find_stalled(status: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = status.get("conditions") or ()
    return next((each for each in conditions if each["type"] == reasons.STALLED), {})
