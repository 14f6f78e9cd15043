"""A condition before its time, and conditions as a status has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_operator.api.common import Condition
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.gating import format_time

MESSAGE_LENGTH = 2048
Status = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """A condition before its time."""

    type: str
    holds: bool
    reason: str
    message: str


def shorten(text: str) -> str:
    """Return a text as it fits into a condition."""
    return text if len(text) <= MESSAGE_LENGTH else f"{text[: MESSAGE_LENGTH - 2]} …"


def build_conditions(
    found: Sequence[Verdict], generation: int, previous: Mapping[str, Any], now: datetime
) -> list[Condition]:
    """Build conditions; one whose status is as before keeps the time at which it became so."""
    before = {condition["type"]: condition for condition in previous.get("conditions") or ()}
    return [_condition(verdict, generation, before.get(verdict.type), now) for verdict in found]


def judged_status(
    owner: Owner, found: Sequence[Verdict], previous: Mapping[str, Any], now: datetime
) -> Status:
    """Return a status with some conditions judged anew; all else stays as it was."""
    known = previous.get("conditions") or ()
    judged = {
        condition.type: condition.model_dump(mode="json", by_alias=True)
        for condition in build_conditions(found, owner.generation, previous, now)
    }
    conditions = {condition["type"]: condition for condition in known} | judged
    return {**previous, "conditions": list(conditions.values())}


def _condition(
    verdict: Verdict, generation: int, before: Mapping[str, Any] | None, now: datetime
) -> Condition:
    status = "True" if verdict.holds else "False"
    unchanged = before is not None and before["status"] == status
    since = before["lastTransitionTime"] if before is not None and unchanged else format_time(now)
    return Condition(
        type=verdict.type,
        status=status,
        observed_generation=generation,
        last_transition_time=since,
        reason=verdict.reason,
        message=verdict.message,
    )
