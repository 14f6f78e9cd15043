"""Objects that somebody else keeps changing back: after three tries they are not fought over."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from trading_operator.kube.cache import Key
from trading_operator.kube.refusals import fingerprint
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Manifest

TRIES = 3
WINDOW_SECONDS = 60.0
LONGEST_SECONDS = 600.0
Monotonic = Callable[[], float]


@dataclass(frozen=True)
class _Contest:
    manifest: bytes
    times: tuple[float, ...] = ()  # at which the change was carried out
    lost: int = 0  # how often it was given up
    until: float = float("-inf")  # when it may be tried again

    def held(self, now: float) -> bool:
        """Tell whether the last change was left as it is for a whole window."""
        return bool(self.times) and max(self.times) <= now - WINDOW_SECONDS


class Contests:
    """When the same change of the same object was carried out, by system.

    After three within a window it is given up for a while. From then on one try that does not
    hold for a window is enough to give up, for twice as long; one that holds ends the contest.
    """

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Key, dict[Ref, _Contest]] = {}

    def give_up_if_contested(self, key: Key, ref: Ref, manifest: Manifest) -> bool:
        """Give this very change up for a while if it does not hold; tells whether it is."""
        contest, now = self._contest(key, ref, manifest), self._clock()
        if now < contest.until:
            return True
        recent = [each for each in contest.times if each > now - WINDOW_SECONDS]
        if len(recent) < (1 if contest.lost else TRIES):
            return False
        pause = min(LONGEST_SECONDS, WINDOW_SECONDS * 2**contest.lost)
        given_up = replace(contest, times=(), lost=contest.lost + 1, until=now + pause)
        self._known[key][ref] = given_up
        return True

    def add(self, key: Key, ref: Ref, manifest: Manifest) -> None:
        """Count a change that was carried out."""
        contest, now = self._contest(key, ref, manifest), self._clock()
        recent = tuple(each for each in contest.times if each > now - WINDOW_SECONDS)
        if contest.held(now):
            contest = _Contest(contest.manifest)  # the one before has held
        counted = replace(contest, times=(*recent, now))
        self._known.setdefault(key, {})[ref] = counted

    def keep_only(self, key: Key, refs: Iterable[Ref]) -> None:
        """Forget changes that have held, and those of objects that are no longer planned."""
        wanted, now = set(refs), self._clock()
        known = self._known.pop(key, {})
        kept = {ref: each for ref, each in known.items() if ref in wanted and not each.held(now)}
        if kept:
            self._known[key] = kept

    def remembered(self, key: Key) -> frozenset[Ref]:
        """Return the objects of which changes are remembered."""
        return frozenset(self._known.get(key, ()))

    def forget(self, key: Key) -> None:
        """Forget a system."""
        self._known.pop(key, None)

    def _contest(self, key: Key, ref: Ref, manifest: Manifest) -> _Contest:
        wanted = fingerprint(manifest)
        known = self._known.get(key, {}).get(ref)
        return known if known is not None and known.manifest == wanted else _Contest(wanted)
