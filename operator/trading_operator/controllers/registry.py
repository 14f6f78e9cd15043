"""The resources of one kind that are known, as the API server last sent them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from trading_operator.kube.cache import Key, version_of
from trading_operator.kube.packing import Packed, Packer

Body = Mapping[str, Any]
F = TypeVar("F")


class Known(NamedTuple, Generic[F]):
    """One resource: its body, and what is asked for often and of all of them."""

    uid: str
    version: int
    facts: F
    conditions: tuple[tuple[str, str], ...]  # type and status of each
    packed: Packed


class Registry(Generic[F]):
    """Bodies by key; a newer one wakes its key, the echo of our own status write does not."""

    def __init__(
        self,
        kind: str,
        read_facts: Callable[[Body], F],
        wake: Callable[[Key], None],
        forget: Callable[[Key], None],
        changed: Callable[[Key], None] = lambda _: None,
    ) -> None:
        """`changed` hears of every new version, the echo of our own status write among them."""
        self._kind = kind
        self._read_facts = read_facts
        self._known: dict[Key, Known[F]] = {}
        self._packer = Packer()
        self._wake = wake
        self._forget = forget
        self._changed = changed

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._known))

    def key_of(self, body: Body) -> Key:
        """Return the key of a body of this kind; a list leaves the kind out of its items."""
        return Key(body["metadata"]["namespace"], body["metadata"]["name"], self._kind)

    def get(self, key: Key) -> Body | None:
        """Return the body of a resource, decoded anew each time."""
        known = self._known.get(key)
        body: Body | None = None if known is None else known.packed.unpack()
        return body

    def look_at(self, key: Key) -> Known[F] | None:
        """Return what is known of a resource without its body."""
        return self._known.get(key)

    def take_event(self, kind: str | None, body: Body) -> None:
        """Store what the watch says: kind is ADDED, MODIFIED, DELETED, or None in a list."""
        if kind == "DELETED":
            self.remove(self.key_of(body), body["metadata"]["uid"])
        elif self.store(body):
            self._wake(self.key_of(body))

    def store(self, body: Body) -> bool:
        """Store a body and return whether it was newer than the one that was there."""
        key = self.key_of(body)
        before, known = self._known.get(key), self._read(body)
        if before is not None and before.version >= known.version:
            return False
        if before is not None and before.uid != known.uid:
            self._forget(key)  # deleted and made anew while no watch told
        self._known[key] = known
        self._changed(key)
        return True

    def remove(self, key: Key, uid: str) -> None:
        """Forget a resource that is gone, unless a new one has its name."""
        known = self._known.get(key)
        if known is not None and known.uid == uid:
            del self._known[key]
            self._forget(key)
            self._changed(key)

    def _read(self, body: Body) -> Known[F]:
        metadata = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
        conditions = (body.get("status") or {}).get("conditions") or ()
        return Known(
            uid=metadata["uid"],
            version=version_of(body),
            facts=self._read_facts(body),
            conditions=tuple(
                (sys.intern(each["type"]), sys.intern(each["status"])) for each in conditions
            ),
            packed=self._packer.pack("", {**body, "metadata": metadata}),
        )
