"""What a run answers: one JSON object that fits into a termination message."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trading_backup.errors import BackupError
from trading_backup.reasons import Reason

logger = logging.getLogger(__name__)

VARIABLE = "TRADING_BACKUP_TERMINATION"
DEFAULT_PATH = "/dev/termination-log"
# What the kubelet keeps of a termination message.
LIMIT = 4096
_LONGEST_TEXT = 1024


@dataclass(frozen=True)
class Outcome:
    """How a command ended; `details` are its own fields."""

    reason: Reason
    message: str
    details: Mapping[str, Any]

    @property
    def succeeded(self) -> bool:
        """Whether it went well."""
        return self.reason is Reason.SUCCEEDED


def fail(error: BackupError, details: Mapping[str, Any]) -> Outcome:
    """Build the outcome of a run that could not go on."""
    return Outcome(error.reason, str(error), details)


def spell(time: datetime) -> str:
    """Write a time as Kubernetes does."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build_answer(outcome: Outcome, started: datetime, ended: datetime) -> dict[str, Any]:
    """Build the answer's object."""
    answer = {
        "outcome": "Succeeded" if outcome.succeeded else "Failed",
        "reason": str(outcome.reason),
        "message": outcome.message[:_LONGEST_TEXT],
        "startedAt": spell(started),
        "endedAt": spell(ended),
        **outcome.details,
    }
    return {name: value for name, value in answer.items() if value is not None}


def fit(answer: Mapping[str, Any], limit: int = LIMIT) -> bytes:
    """Write an answer within the limit: the longest lists lose their ends, and say how much."""
    fitting: dict[str, Any] = dict(answer)
    cut: dict[str, int] = {}
    while len(text := _write(fitting, cut)) > limit:
        lists = [name for name, value in fitting.items() if isinstance(value, list) and value]
        if not lists:
            return _write({**fitting, "message": str(fitting.get("message", ""))[:200]}, cut)
        longest = max(lists, key=lambda name: len(_write(fitting[name], {})))
        fitting[longest] = fitting[longest][:-1]
        cut[longest] = cut.get(longest, 0) + 1
    return text


def _write(value: Any, cut: Mapping[str, int]) -> bytes:
    content = {**value, "cut": cut} if cut else value
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def write_answer(answer: bytes, path: Path) -> None:
    """Write the termination message; without a place for it the log has it all the same."""
    try:
        path.write_bytes(answer)
    except OSError as error:
        logger.warning("the answer is only in this log: %s", error)
    logger.info("answer", extra={"answer": json.loads(answer)})
