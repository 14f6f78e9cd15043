"""The loop's heartbeat, on the monotonic clock, that /livez judges."""

import threading
import time


class Heartbeat:
    """Remembers when the worker loop last turned; safe across threads."""

    def __init__(self, deadline_seconds: float) -> None:
        """Start alive; the loop is dead when it has not beaten for `deadline_seconds`."""
        self.deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._last = time.monotonic()

    def beat(self) -> None:
        """Say that the loop turns; long steps call it between their parts."""
        with self._lock:
            self._last = time.monotonic()

    def age_seconds(self) -> float:
        """Return the seconds since the last beat."""
        with self._lock:
            return time.monotonic() - self._last

    def alive(self) -> bool:
        """Tell whether the last beat is younger than the deadline."""
        return self.age_seconds() <= self.deadline_seconds
