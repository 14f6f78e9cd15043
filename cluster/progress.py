"""Progress for people: one line a step, with the time it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

MENTION_EVERY_SECONDS = 15.0


class Step:
    """A step under way; tick() while waiting keeps a long one from looking dead."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = self._mentioned = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started

    def tick(self) -> None:
        """Mention the elapsed time, at most every fifteen seconds."""
        if time.monotonic() - self._mentioned >= MENTION_EVERY_SECONDS:
            self._mentioned = time.monotonic()
            print(f" {self.elapsed:.0f} s ...", end="", file=self._stream, flush=True)


class Progress:
    """Numbers the steps of one command."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._number = 0
        self._stream = stream or sys.stderr

    def of(self, total: int) -> "Progress":
        """Return a progress of so many steps on the same stream."""
        return Progress(total, self._stream)

    def say(self, text: str) -> None:
        """Print one line that is no step."""
        print(text, file=self._stream, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Print what is being done, and how long it took once it is."""
        self._number += 1
        print(f"[{self._number}/{self._total}] {what} ...", end="", file=self._stream, flush=True)
        step = Step(self._stream)
        try:
            yield step
        except BaseException:
            print(f" failed after {step.elapsed:.1f} s", file=self._stream, flush=True)
            raise
        print(f" done in {step.elapsed:.1f} s", file=self._stream, flush=True)
