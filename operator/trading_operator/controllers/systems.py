"""The trading systems that are known, as the API server last sent them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from trading_operator.kube.cache import Key, version_of
from trading_operator.kube.packing import Packed, Packer

Body = Mapping[str, Any]


def key_of_body(body: Body) -> Key:
    """Return the key of a system's body."""
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])


class Known(NamedTuple):
    """One system: its body, and what is asked for often and of all systems."""

    uid: str
    version: int
    hibernated: bool
    conditions: tuple[tuple[str, str], ...]  # type and status of each
    packed: Packed


class Systems:
    """Bodies by key; a newer one wakes its key, the echo of our own status write does not."""

    def __init__(self, wake: Callable[[Key], None], forget: Callable[[Key], None]) -> None:
        self._known: dict[Key, Known] = {}
        self._packer = Packer()
        self._wake = wake
        self._forget = forget

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._known))

    def get(self, key: Key) -> Body | None:
        """Return the body of a system, decoded anew each time."""
        known = self._known.get(key)
        body: Body | None = None if known is None else known.packed.unpack()
        return body

    def look_at(self, key: Key) -> Known | None:
        """Return what is known of a system without its body."""
        return self._known.get(key)

    def take_event(self, kind: str | None, body: Body) -> None:
        """Store what the watch says: kind is ADDED, MODIFIED, DELETED, or None in a list."""
        if kind == "DELETED":
            self.remove(key_of_body(body), body["metadata"]["uid"])
        elif self.store(body):
            self._wake(key_of_body(body))

    def store(self, body: Body) -> bool:
        """Store a body and return whether it was newer than the one that was there."""
        key = key_of_body(body)
        before, known = self._known.get(key), self._read(body)
        if before is not None and before.version >= known.version:
            return False
        if before is not None and before.uid != known.uid:
            self._forget(key)  # deleted and made anew while no watch told
        self._known[key] = known
        return True

    def remove(self, key: Key, uid: str) -> None:
        """Forget a system that is gone, unless a new one has its name."""
        known = self._known.get(key)
        if known is not None and known.uid == uid:
            del self._known[key]
            self._forget(key)

    def _read(self, body: Body) -> Known:
        metadata = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
        conditions = (body.get("status") or {}).get("conditions") or ()
        return Known(
            uid=metadata["uid"],
            version=version_of(body),
            hibernated=bool((body.get("spec") or {}).get("hibernated")),
            conditions=tuple(
                (sys.intern(each["type"]), sys.intern(each["status"])) for each in conditions
            ),
            packed=self._packer.pack("", {**body, "metadata": metadata}),
        )
