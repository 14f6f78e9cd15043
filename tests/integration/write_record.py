"""What each replica asked of the API server, from its audit log."""

import bisect
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_REPLICA = re.compile(r"^trading-operator/\S+ \((.+)\)$")


@dataclass(frozen=True, order=True)
class Request:
    """One request, in the order in which the API server received them."""

    at: datetime
    replica: str
    verb: str
    what: str
    code: int
    lists: bool = False  # everything of a kind, as a list or at the beginning of a watch

    @property
    def writes(self) -> bool:
        """Whether it is a write, Leases aside."""
        return self.verb in WRITES and not self.what.startswith("leases/")

    @property
    def succeeded(self) -> bool:
        """Whether the API server carried it out."""
        return self.code < 300


@dataclass
class WriteRecord:
    """Requests of one ServiceAccount from the moment on at which this was made."""

    audit_log: Path
    user: str
    requests: list[Request] = field(default_factory=list)
    _offset: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._offset = self.audit_log.stat().st_size

    def read(self) -> list[Request]:
        """Return all requests until now."""
        with self.audit_log.open("rb") as log:
            log.seek(self._offset)
            content = log.read()
        whole = content[: content.rfind(b"\n") + 1]  # the last line may be half written
        self._offset += len(whole)
        events = (json.loads(line) for line in whole.splitlines() if self.user.encode() in line)
        self.requests += [_parse(event) for event in events if self._counts(event)]
        self.requests.sort()
        return self.requests

    def read_writes(self) -> list[Request]:
        """Return the writes until now."""
        return [request for request in self.read() if request.writes]

    def _counts(self, event: dict[str, Any]) -> bool:
        mine = event["user"].get("username") == self.user
        # A watch is told twice, at its start and at its end.
        first = event["stage"] == ("ResponseStarted" if event["verb"] == "watch" else _LAST)
        return bool(mine and first)


_LAST = "ResponseComplete"


def _parse(event: dict[str, Any]) -> Request:
    agent = _REPLICA.match(event.get("userAgent", ""))
    assert agent is not None, f"no replica in {event.get('userAgent')!r}"
    target = event.get("objectRef", {})
    return Request(
        at=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        replica=agent.group(1),
        verb=event["verb"],
        what=f"{target.get('resource', '')}/{target.get('name', '')}",
        code=event.get("responseStatus", {}).get("code", 0),
        lists=event["verb"] == "list" or "sendInitialEvents=true" in event["requestURI"],
    )


def out_of_turn(
    requests: Iterable[Request], terms: Sequence[tuple[datetime, str]]
) -> list[Request]:
    """Return the requests that came from another replica than the one that led last.

    `terms` are the moments at which a replica began to lead, in order.
    """
    begun = [moment for moment, _ in terms]
    owners = ((each, bisect.bisect_right(begun, each.at) - 1) for each in requests)
    return [each for each, place in owners if place < 0 or terms[place][1] != each.replica]
