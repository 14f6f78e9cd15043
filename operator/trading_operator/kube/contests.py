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
    """When the same change of the same object was written, by system."""

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Key, dict[Ref, _Contest]] = {}

    def count(self, key: Key, ref: Ref, manifest: Manifest) -> bool:
        """Count a change that is about to be written; tell whether it was written too often."""
        now, wanted = self._clock(), fingerprint(manifest)
        known = self._known.setdefault(key, {})
        before = known.get(ref)
        times = before.times if before is not None and before.manifest == wanted else ()
        recent = tuple(each for each in times if now - each < WINDOW_SECONDS)
        contested = len(recent) >= TRIES
        known[ref] = _Contest(wanted, recent if contested else (*recent, now))
        return contested

    def forget(self, key: Key) -> None:
        """Forget a system."""
        self._known.pop(key, None)
