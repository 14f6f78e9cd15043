"""What the status says of a system that stops because it was deleted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.backup_status import Outcome
from trading_operator.api.trading_system import ComponentState
from trading_operator.observe.event_text import NORMAL, WARNING, EventText
from trading_operator.observe.verdict import Status, Verdict, judged_status
from trading_operator.plan.gating import format_time
from trading_operator.plan.last_backup import LastBackup
from trading_operator.plan.types import Block, Owner

_MESSAGE_LENGTH = 1024


def deletion_status(
    owner: Owner,
    blocks: Mapping[str, Block],
    deadline: datetime,
    previous: Mapping[str, Any] | None,
    now: datetime,
) -> Status:
    """Return the status of a system that stops in order; `blocks` is what has not stopped."""
    before = dict(previous or {})
    lines = [_line(line, blocks.get(line["name"])) for line in before.get("components") or ()]
    message = f"deleted: stops in order until {format_time(deadline)}, then goes in any case"
    told = "; ".join(": ".join(filter(None, each)) for each in _told(blocks))
    found = (
        Verdict(reasons.AVAILABLE, False, reasons.DELETING, message),
        Verdict(reasons.READY, False, reasons.DELETING, message),
        Verdict(reasons.RECONCILING, True, _reason(blocks), f"{message}; {told}"[:2048]),
    )
    status = judged_status(owner, found, before, now)
    return {**status, "components": lines} if lines else status


def asks_for_last_backup(status: Mapping[str, Any] | None) -> bool:
    """Tell whether a deleted system says that nothing but its last backup is awaited."""
    conditions = (status or {}).get("conditions") or ()
    told = {each["type"]: each["reason"] for each in conditions}
    return told.get(reasons.RECONCILING) == reasons.WAITING_FOR_LAST_BACKUP


def last_backup_events(last: LastBackup | None) -> tuple[EventText, ...]:
    """Return what is told of the last backup as the system goes; nothing where none was wanted."""
    if last is None:
        return ()
    if last.outcome is Outcome.SUCCEEDED:
        covers = ", ".join(sorted(last.covers)) or "none"
        message = f"{last.message}: the volumes that it holds go: {covers}"
        return (EventText(NORMAL, reasons.LAST_BACKUP_TAKEN, message),)
    message = f"all volumes stay: {last.message}"
    return (EventText(WARNING, reasons.LAST_BACKUP_NOT_TAKEN, message),)


def deadline_message(previous: Mapping[str, Any] | None, deadline: datetime) -> str:
    """Return what is told when an ordered stop took too long."""
    lines = (previous or {}).get("components") or ()
    late = [line["name"] for line in lines if line.get("state") == ComponentState.STOPPING]
    names = ", ".join(late) or "what the status names"
    return f"had not stopped by {format_time(deadline)}: {names}; everything goes at once now"


def _told(blocks: Mapping[str, Block]) -> list[tuple[str, str]]:
    return [(name, block.message) for name, block in sorted(blocks.items())]


def _reason(blocks: Mapping[str, Block]) -> str:
    """Return why it is not over: once all that may use the data has stopped, the last backup."""
    waits = {block.reason for block in blocks.values()}
    only = waits == {reasons.WAITING_FOR_LAST_BACKUP}
    return reasons.WAITING_FOR_LAST_BACKUP if only else reasons.DELETING


def _line(line: Mapping[str, Any], block: Block | None) -> dict[str, Any]:
    told = {"state": ComponentState.STOPPED.value, "ready": 0, "reason": "", "message": "stopped"}
    if block is not None:
        message = block.message[:_MESSAGE_LENGTH]
        told = {"state": ComponentState.STOPPING.value, "reason": block.reason, "message": message}
    return {name: value for name, value in line.items() if name != "waitingSince"} | told
