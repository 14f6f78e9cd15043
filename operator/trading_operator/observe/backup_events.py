"""Events of a Backup: once per change, told from two statuses."""

from collections.abc import Iterator, Mapping
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.backup_status import Outcome
from trading_operator.observe.event_text import NORMAL, WARNING, EventText

_TOLD = {reasons.STALLED: "True", reasons.OBJECTIVES_MET: "False"}
# The run itself has an event that says more.
_TOLD_ELSEWHERE = frozenset({reasons.BACKUP_FAILED, reasons.DRILL_FAILED})


def backup_events(
    previous: Mapping[str, Any] | None, current: Mapping[str, Any]
) -> list[EventText]:
    """Return what changed between two statuses and is worth telling."""
    before = previous or {}
    return [
        *_ended(before, current, "lastRun", (reasons.BACKUP_SUCCEEDED, reasons.BACKUP_FAILED)),
        *_ended(before, current, "lastDrill", (reasons.DRILL_SUCCEEDED, reasons.DRILL_FAILED)),
        *_missed(before, current),
        *_conditions(before, current),
    ]


def _ended(
    before: Mapping[str, Any], current: Mapping[str, Any], field: str, named: tuple[str, str]
) -> Iterator[EventText]:
    run = current.get(field)
    if run is None or run.get("job") == (before.get(field) or {}).get("job"):
        return
    well, badly = named
    if run["outcome"] == Outcome.FAILED:
        told = ": ".join(filter(None, (run["job"], run.get("reason"), run.get("message"))))
        yield EventText(WARNING, badly, told)
    else:
        yield EventText(NORMAL, well, f"{run['job']}: {_describe(current, field)}")


def _describe(current: Mapping[str, Any], field: str) -> str:
    if field == "lastDrill":
        proven = current.get("lastVerifiedRestore") or {}
        return f"set {proven.get('set')} restored in {proven.get('rtoSeconds')} s, and compared"
    newest: Mapping[str, Any] = next(iter(current.get("lastSets") or ()), {})
    return f"set {newest.get('id')}, {current.get('size') or 'of unknown size'}"


def _missed(before: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    count = current.get("missedRuns", 0) - before.get("missedRuns", 0)
    if count > 0:
        message = f"{count} runs never began, the last one due at {current.get('lastMissedRun')}"
        yield EventText(WARNING, reasons.BACKUP_MISSED, message)


def _conditions(before: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    former = {each["type"]: each for each in before.get("conditions") or ()}
    for condition in current.get("conditions") or ():
        kind, status, reason = condition["type"], condition["status"], condition["reason"]
        known = former.get(kind, {})
        if (status, reason) == (known.get("status"), known.get("reason")):
            continue
        if _TOLD.get(kind) == status and reason not in _TOLD_ELSEWHERE:
            yield EventText(WARNING, reason, condition["message"])
