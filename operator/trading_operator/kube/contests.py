"""Objects that somebody else keeps changing back: after three tries they are not fought over."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from trading_operator.kube.cache import Key
from trading_operator.kube.refusals import fingerprint
from trading_operator.plan.types import Manifest, Ref

TRIES = 3
WINDOW_SECONDS = 60.0
Monotonic = Callable[[], float]


@dataclass(frozen=True)
class _Contest:
    manifest: bytes
    times: tuple[float, ...]


class Contests:
    """When the same change of the same object was carried out, by system."""

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Key, dict[Ref, _Contest]] = {}

    def is_contested(self, key: Key, ref: Ref, manifest: Manifest) -> bool:
        """Tell whether this very change was carried out too often of late."""
        return len(self._recent(key, ref, fingerprint(manifest))) >= TRIES

    def add(self, key: Key, ref: Ref, manifest: Manifest) -> None:
        """Count a change that was carried out."""
        wanted = fingerprint(manifest)
        times = (*self._recent(key, ref, wanted), self._clock())
        self._known.setdefault(key, {})[ref] = _Contest(wanted, times)

    def forget(self, key: Key) -> None:
        """Forget a system."""
        self._known.pop(key, None)

    def _recent(self, key: Key, ref: Ref, wanted: bytes) -> tuple[float, ...]:
        contest = self._known.get(key, {}).get(ref)
        if contest is None or contest.manifest != wanted:
            return ()
        oldest = self._clock() - WINDOW_SECONDS
        return tuple(each for each in contest.times if each > oldest)
