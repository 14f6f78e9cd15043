"""Which key is due for a pass: each once, never two passes of one key at a time."""

import asyncio
import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from trading_operator.kube.backoff import delay

K = TypeVar("K")
Monotonic = Callable[[], float]


@dataclass(frozen=True)
class Failing:
    """How many passes over a key failed in a row, and in how many seconds."""

    times: int
    since: float
    seconds: float = 0.0


class WorkQueue(Generic[K]):
    """A set of keys that are due now, in order, and one heap of those that are due later."""

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._ready: OrderedDict[K, float] = OrderedDict()  # key -> since when it waits
        self._urgent: OrderedDict[K, float] = OrderedDict()
        self._active: dict[K, bool] = {}  # whether it was taken from the urgent lane
        self._again: dict[K, bool] = {}  # woken while active -> whether urgently
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0
        self._failures: dict[K, Failing] = {}
        self._changed = asyncio.Event()

    def wake(self, key: K, urgent: bool = False) -> None:
        """Make a key due now; `urgent` ones go first."""
        self._due.pop(key, None)
        if key in self._active:
            self._again[key] = urgent or self._again.get(key, False)
            return
        if urgent and key not in self._urgent:
            self._urgent[key] = self._ready.pop(key, self._clock())
        elif key not in self._urgent:
            self._ready.setdefault(key, self._clock())
        self._changed.set()

    def wake_after(self, key: K, seconds: float) -> None:
        """Make a key due later, unless it is due sooner already."""
        due = self._clock() + seconds
        if key in self._ready or key in self._urgent or self._due.get(key, due) < due:
            return
        self._due[key] = due
        self._push(due, key)
        self._changed.set()

    def retry(self, key: K) -> float:
        """Make a key due after its back-off and return the seconds until then."""
        failing = self.failing(key)
        self._failures[key] = replace(failing, times=failing.times + 1)
        seconds = delay(failing.times)
        self.wake_after(key, seconds)
        return seconds

    def failing(self, key: K) -> Failing:
        """Tell how a key fails; 0 times since now when it does not."""
        now = self._clock()
        known = self._failures.get(key, Failing(0, now))
        return replace(known, seconds=now - known.since)

    def settle(self, key: K) -> None:
        """End the back-off of a key whose pass went well."""
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """Drop all that is known of a key that is gone."""
        for known in (self._ready, self._urgent, self._due, self._again, self._failures):
            known.pop(key, None)

    async def take(self, *, urgent: bool = False) -> K:
        """Wait for a due key and take it, if so asked an urgent one alone; `release` must follow.

        It always lets others run first: keys that are due at once for ever starve nobody.
        """
        await asyncio.sleep(0)
        while True:
            self._collect_due()
            for lane in (self._urgent,) if urgent else (self._urgent, self._ready):
                if lane:
                    key, _ = lane.popitem(last=False)
                    self._active[key] = lane is self._urgent
                    return key
            await self._wait()

    def is_urgent(self, key: K) -> bool:
        """Tell whether a key that was taken came from the urgent lane."""
        return self._active.get(key, False)

    def release(self, key: K) -> None:
        """Give a key back after its pass; one that was woken meanwhile is due at once."""
        self._active.pop(key, None)
        if key in self._again:
            self.wake(key, self._again.pop(key))

    @property
    def depth(self) -> int:
        """Number of keys that are due now."""
        return len(self._ready) + len(self._urgent)

    @property
    def oldest(self) -> float:
        """Seconds that the first of the due keys has waited."""
        since = [*self._urgent.values(), *self._ready.values()]
        return self._clock() - min(since) if since else 0.0

    def _push(self, due: float, key: K) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, key))
        if len(self._heap) > 2 * len(self._due) + 64:  # mostly keys that were woken meanwhile
            self._heap = [item for item in self._heap if self._due.get(item[2]) == item[0]]
            heapq.heapify(self._heap)

    def _collect_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:  # else it was woken or moved meanwhile
                self.wake(key)

    async def _wait(self) -> None:
        self._changed.clear()
        seconds = max(0.0, self._heap[0][0] - self._clock()) if self._heap else None
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
