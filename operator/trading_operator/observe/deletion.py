"""What the status says of a system that stops because it was deleted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.trading_system import ComponentState
from trading_operator.observe.verdict import Status, Verdict, judged_status
from trading_operator.plan.gating import format_time
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
    told = "; ".join(f"{name}: {block.message}" for name, block in sorted(blocks.items()))
    found = (
        Verdict(reasons.AVAILABLE, False, reasons.DELETING, message),
        Verdict(reasons.READY, False, reasons.DELETING, message),
        Verdict(reasons.RECONCILING, True, reasons.DELETING, f"{message}; {told}"[:2048]),
    )
    status = judged_status(owner, found, before, now)
    return {**status, "components": lines} if lines else status


def deadline_message(previous: Mapping[str, Any] | None, deadline: datetime) -> str:
    """Return what is told when an ordered stop took too long."""
    lines = (previous or {}).get("components") or ()
    late = [line["name"] for line in lines if line.get("state") == ComponentState.STOPPING]
    names = ", ".join(late) or "what the status names"
    return f"had not stopped by {format_time(deadline)}: {names}; everything goes at once now"


def _line(line: Mapping[str, Any], block: Block | None) -> dict[str, Any]:
    told = {"state": ComponentState.STOPPED.value, "ready": 0, "reason": "", "message": "stopped"}
    if block is not None:
        message = block.message[:_MESSAGE_LENGTH]
        told = {"state": ComponentState.STOPPING.value, "reason": block.reason, "message": message}
    return {name: value for name, value in line.items() if name != "waitingSince"} | told
