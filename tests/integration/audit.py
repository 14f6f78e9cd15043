"""The API server's audit log: what an account asked for, and whether it was given it."""

import json
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


def read_requests(log: Path, user: str, offset: int = 0) -> list[Request]:
    """Return the requests of an account, in the order of their ends."""
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().splitlines()
    # The last line may be half written.
    mine = (line for line in lines if user.encode() in line and line.endswith(b"}"))
    return list(_parse(map(json.loads, mine), user))


def _parse(events: Iterable[dict[str, Any]], user: str) -> Iterator[Request]:
    for event in events:
        target = event.get("objectRef")
        # A watch is told twice: when it began, and at its end.
        if target is None or event["user"]["username"] != user or event["stage"] == "Panic":
            continue
        parts = (target.get("apiGroup", ""), target["resource"], target.get("subresource"))
        yield Request(
            event["verb"],
            "/".join(part for part in parts if part is not None),
            target.get("namespace", ""),
            target.get("name", ""),
            event.get("responseStatus", {}).get("code", 0),
        )
