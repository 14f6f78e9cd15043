"""Which Backups are of which trading system: each hears of what happens to the other."""

from collections import defaultdict

from trading_operator.kube.cache import Key


class Links:
    """The resources that look at another one, by that one's key."""

    def __init__(self) -> None:
        self._target: dict[Key, Key] = {}
        self._sources: dict[Key, set[Key]] = defaultdict(set)

    def set(self, source: Key, target: Key | None) -> None:
        """Note at which resource another one looks now; None: at none, or it is gone."""
        before = self._target.pop(source, None)
        if before is not None:
            self._sources[before].discard(source)
            if not self._sources[before]:
                del self._sources[before]
        if target is not None:
            self._target[source] = target
            self._sources[target].add(source)

    def sources(self, target: Key) -> frozenset[Key]:
        """Return the resources that look at one."""
        return frozenset(self._sources.get(target, ()))

    def target(self, source: Key) -> Key | None:
        """Return the resource at which one looks."""
        return self._target.get(source)
