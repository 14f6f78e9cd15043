"""The trading systems that are known, as the API server last sent them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trading_operator.kube.cache import Key, version_of

Body = Mapping[str, Any]


def key_of_body(body: Body) -> Key:
    """Return the key of a system's body."""
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])


class Systems:
    """Bodies by key; a newer one wakes its key, the echo of our own status write does not."""

    def __init__(self, wake: Callable[[Key], None], forget: Callable[[Key], None]) -> None:
        self._bodies: dict[Key, Body] = {}
        self._wake = wake
        self._forget = forget

    def __len__(self) -> int:
        return len(self._bodies)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._bodies))

    def get(self, key: Key) -> Body | None:
        """Return the body of a system."""
        return self._bodies.get(key)

    def take_event(self, kind: str | None, body: Body) -> None:
        """Store what the watch says: kind is ADDED, MODIFIED, DELETED, or None in a list."""
        if kind == "DELETED":
            self.remove(key_of_body(body), body["metadata"]["uid"])
        elif self.store(body):
            self._wake(key_of_body(body))

    def store(self, body: Body) -> bool:
        """Store a body and return whether it was newer than the one that was there."""
        key = key_of_body(body)
        before = self._bodies.get(key)
        if before is not None and version_of(before) >= version_of(body):
            return False
        if before is not None and before["metadata"]["uid"] != body["metadata"]["uid"]:
            self._forget(key)  # deleted and made anew while no watch told
        metadata = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
        self._bodies[key] = {**body, "metadata": metadata}
        return True

    def remove(self, key: Key, uid: str) -> None:
        """Forget a system that is gone, unless a new one has its name."""
        body = self._bodies.get(key)
        if body is not None and body["metadata"]["uid"] == uid:
            del self._bodies[key]
            self._forget(key)
