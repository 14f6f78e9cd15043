"""What the status says when a pass broke off for a reason that is not the spec's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trading_operator.api.reasons import STALLED


def failed_status(
    previous: Mapping[str, Any] | None,
    generation: int,
    failure: tuple[str, str],
    now: datetime,
    condition: str = STALLED,
) -> dict[str, Any]:
    """Build the previous status with one condition True; `failure` is its reason and message.

    All else stays as it was: what serves is not known to have stopped serving.
    """
    reason, message = failure
    status = dict(previous or {})
    conditions = list(status.get("conditions") or ())
    before = next((each for each in conditions if each["type"] == condition), None)
    since = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if before is not None and before["status"] == "True":
        since = before["lastTransitionTime"]
    told = {
        "type": condition,
        "status": "True",
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    others = [each for each in conditions if each["type"] != condition]
    return {**status, "conditions": [*others, told]}
