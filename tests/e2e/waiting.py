"""Waits for a state of the cluster, with a bound and a message that says what was last seen."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def eventually(
    look: Callable[[], Found], what: str, timeout: float = 60, poll: float = 0.5
) -> Found:
    """Return the first truthy answer of `look`; fail with what it last said."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what}; last seen: {found!r}")
        time.sleep(poll)
