"""The revision in force of each system, remembered in case somebody deletes it."""

from collections.abc import Iterable

from trading_operator.kube.cache import Key
from trading_operator.plan.observed import StoredRevision


class RevisionMemory:
    """The newest revision that was seen of each system.

    Without it a deleted revision would be rendered anew, by a newer operator perhaps, and pods
    would restart.
    """

    def __init__(self) -> None:
        self._known: dict[Key, tuple[str, StoredRevision]] = {}

    def complete(
        self, key: Key, uid: str, seen: Iterable[StoredRevision]
    ) -> tuple[StoredRevision, ...]:
        """Return the revisions of a system with the one that was in force, should it be gone."""
        found = tuple(seen)
        known_uid, known = self._known.get(key, ("", None))
        newest = max(found, key=lambda each: each.number, default=None)
        if known is not None and known_uid == uid and _is_lost(known, newest):
            return (*found, known)
        if newest is not None:
            self._known[key] = (uid, newest)
        return found

    def forget(self, key: Key) -> None:
        """Forget a system."""
        self._known.pop(key, None)


def _is_lost(known: StoredRevision, newest: StoredRevision | None) -> bool:
    return newest is None or newest.number < known.number
