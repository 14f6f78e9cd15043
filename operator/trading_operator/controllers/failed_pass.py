"""What the status says when a pass broke off for a reason that is not the spec's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

STALLED = "Stalled"


def failed_status(
    previous: Mapping[str, Any] | None, generation: int, failure: tuple[str, str], now: datetime
) -> dict[str, Any]:
    """Build the previous status with Stalled=True; `failure` is its reason and message.

    All else stays as it was: what serves is not known to have stopped serving.
    """
    reason, message = failure
    status = dict(previous or {})
    conditions = list(status.get("conditions") or ())
    before = next((each for each in conditions if each["type"] == STALLED), None)
    since = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if before is not None and before["status"] == "True":
        since = before["lastTransitionTime"]
    stalled = {
        "type": STALLED,
        "status": "True",
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    others = [each for each in conditions if each["type"] != STALLED]
    return {**status, "conditions": [*others, stalled]}
