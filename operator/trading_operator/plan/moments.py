"""Times as the API writes them."""

from datetime import UTC, datetime


def read_moment(text: str | None) -> datetime | None:
    """Read a time that anybody may have written; None of what is no time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None
