"""What a pass needs to read and write the cluster, and what is remembered between passes."""

import time
from dataclasses import dataclass, field

from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.contests import Contests
from trading_operator.kube.named import NamedReader
from trading_operator.kube.progress import ProgressReader
from trading_operator.kube.refusals import Refusals
from trading_operator.kube.revision_memory import RevisionMemory
from trading_operator.kube.transport import Transport
from trading_operator.plan.observed import Ref

FOREIGN_SECONDS = 30.0


@dataclass
class Foreign:
    """Planned names that are taken by objects of somebody else, and when that was seen."""

    _seen: dict[Key, dict[Ref, float]] = field(default_factory=dict)

    def add(self, key: Key, ref: Ref) -> None:
        """Remember that a name is taken."""
        self._seen.setdefault(key, {})[ref] = time.monotonic()

    def drop(self, key: Key, ref: Ref) -> None:
        """Forget a name that is free, or ours, by now."""
        self._seen.get(key, {}).pop(ref, None)

    def forget(self, key: Key) -> None:
        """Forget a system."""
        self._seen.pop(key, None)

    def known(self, key: Key) -> frozenset[Ref]:
        """Return the taken names of a system."""
        return frozenset(self._seen.get(key, ()))

    def doubtful(self, key: Key) -> list[Ref]:
        """Return those that were seen so long ago that they should be looked at again."""
        old = time.monotonic() - FOREIGN_SECONDS
        return [ref for ref, seen in self._seen.get(key, {}).items() if seen < old]


@dataclass(frozen=True)
class Kube:
    """Transport, cache and memory of one operator process."""

    transport: Transport
    cache: Cache
    named: NamedReader
    capacity: CapacityReader
    refusals: Refusals = field(default_factory=Refusals)
    foreign: Foreign = field(default_factory=Foreign)
    contests: Contests = field(default_factory=Contests)
    revisions: RevisionMemory = field(default_factory=RevisionMemory)
    progress: ProgressReader = field(default_factory=ProgressReader)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a system that is gone."""
        self.named.forget(key.namespace)
        self.capacity.forget(key.namespace)
        self.refusals.forget(key)
        self.foreign.forget(key)
        self.contests.forget(key)
        self.revisions.forget(key)
