"""A condition before its time."""

from dataclasses import dataclass

MESSAGE_LENGTH = 2048


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
