"""What the API server answers when it does not do what was asked."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INVALID = 422


@dataclass(frozen=True)
class Cause:
    """One field that the API server refused."""

    field: str
    message: str
    reason: str = ""


class ApiError(Exception):
    """An answer other than success; status 0 means that there was no answer."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: tuple[Cause, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after

    @property
    def refused(self) -> bool:
        """Whether asking again without a change somewhere is of no use."""
        return self.status in (400, 401, 403, 404, 405, 413, 415, 422)

    @property
    def log_level(self) -> int:
        """How loud it is told: everything in a namespace that is being deleted is refused."""
        ending = any(cause.reason == "NamespaceTerminating" for cause in self.causes)
        return logging.DEBUG if ending else logging.WARNING

    @property
    def ambiguous(self) -> bool:
        """Whether the request may have been carried out all the same."""
        return self.status == 0 or self.status >= 500


class NotLeadingError(Exception):
    """A write was held back because the Lease is no longer surely ours."""


def parse_error(status: int, body: Any, retry_after: str | None = None) -> ApiError:
    """Build the error from a Status object, or from whatever a proxy answered."""
    answer: Mapping[str, Any] = body if isinstance(body, dict) else {}
    details = answer.get("details") or {}
    causes = tuple(
        Cause(cause.get("field", ""), cause.get("message", ""), cause.get("reason", ""))
        for cause in details.get("causes") or ()
    )
    seconds = retry_after or details.get("retryAfterSeconds")
    return ApiError(
        status,
        answer.get("reason") or "Unknown",
        answer.get("message") or f"the API server answered {status}",
        causes,
        _seconds(seconds),
    )


def _seconds(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:  # absent, or a date, which the API server does not send
        return None
