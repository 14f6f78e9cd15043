"""How often a system's status is written while its components come up one by one."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from trading_operator.kube.cache import Key

HOLD_SECONDS = 1.0
_TOLD_AT_ONCE = ("Available", "Ready", "Stalled", "Degraded", "RolledBack")
Monotonic = Callable[[], float]


class Pace:
    """Holds mere progress back for a second, so that many small steps make one write.

    What somebody may act on (Ready, Stalled and the like) is never held back.
    """

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Key, float] = {}  # last write, or when the first one was held back

    def hold(self, key: Key, previous: Mapping[str, Any], status: Mapping[str, Any]) -> float:
        """Return for how many seconds the status is to be held back; 0 writes it now."""
        if _is_news(previous, status):
            return 0.0
        return max(0.0, self._since.setdefault(key, self._clock()) + HOLD_SECONDS - self._clock())

    def written(self, key: Key) -> None:
        """Note that a status was written."""
        self._since[key] = self._clock()

    def forget(self, key: Key) -> None:
        """Forget a system."""
        self._since.pop(key, None)


def _is_news(previous: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    before, after = _states(previous), _states(status)
    if not before:
        return "True" in after.values()
    return before != after


def _states(status: Mapping[str, Any]) -> dict[str, str]:
    conditions = status.get("conditions") or ()
    return {each["type"]: each["status"] for each in conditions if each["type"] in _TOLD_AT_ONCE}
