"""The API server's audit log: what an account asked for, and whether it was given it."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Request:
    """One request about an object or a list."""

    verb: str
    resource: str  # group/plural, and /subresource
    namespace: str
    name: str
    code: int

    @property
    def right(self) -> tuple[str, str]:
        """Return the right that the request needs."""
        return self.resource, self.verb

    @property
    def writes(self) -> bool:
        """Tell whether it changes something."""
        return self.verb in WRITES


def rights(rules: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return the rights that rules of roles give, as resource and verb."""
    return {
        (f"{group}/{resource}", verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


class AuditFollower:
    """Follows the log from where it ends now, and keeps what it says of one account."""

    def __init__(self, path: Path, user: str) -> None:
        self._path = path
        self._user = user
        self._events: list[dict[str, Any]] = []
        self._file, self._offset = _end_of(path)

    def events(self) -> list[dict[str, Any]]:
        """Read what was written meanwhile and return all events so far."""
        if not self._path.exists():
            return self._events
        with self._path.open("rb") as log:
            found = os.fstat(log.fileno())
            if found.st_ino != self._file or found.st_size < self._offset:
                self._file, self._offset = found.st_ino, 0  # a new log
            log.seek(self._offset)
            block = log.read()
        whole = block.rfind(b"\n") + 1  # a line that is still being written is left
        self._offset += whole
        mark = self._user.encode()
        read = (json.loads(line) for line in block[:whole].splitlines() if mark in line)
        self._events += [each for each in read if each["user"].get("username") == self._user]
        return self._events

    def requests(self) -> list[Request]:
        """Return the account's requests so far, in the order of their ends."""
        return list(_parse(self.events()))


def _end_of(path: Path) -> tuple[int, int]:
    """Return the inode and the size of a file, zeros when it is not there."""
    if not path.exists():
        return 0, 0
    found = path.stat()
    return found.st_ino, found.st_size


def _parse(events: Iterable[dict[str, Any]]) -> Iterator[Request]:
    for event in events:
        target = event.get("objectRef")
        # A watch is told twice: when it began, and at its end.
        if target is None or event["stage"] == "Panic":
            continue
        parts = (target.get("apiGroup", ""), target["resource"], target.get("subresource"))
        yield Request(
            event["verb"],
            "/".join(part for part in parts if part is not None),
            target.get("namespace", ""),
            target.get("name", ""),
            event.get("responseStatus", {}).get("code", 0),
        )
