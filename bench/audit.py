"""What the API server's audit log says of one user's requests."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
SYSTEMS = "tradingsystems"
LEASES = "leases"


class Request(NamedTuple):
    """One request that was answered; times are seconds since the epoch."""

    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    received: float
    done: float

    @property
    def makes_child(self) -> bool:
        """Whether it made an object that is not a Lease, an Event or a system itself."""
        made = self.verb in ("create", "patch") and self.code == 201  # 201: an apply that made it
        return made and self.resource not in (LEASES, "events", SYSTEMS)

    @property
    def writes(self) -> bool:
        """Whether it was a write, successful or not, of anything but a Lease."""
        return self.verb in WRITES and self.resource != LEASES


def parse_request(line: bytes) -> Request | None:
    """Read one line of the log; None for what is no request for an object."""
    event = orjson.loads(line)
    target = event.get("objectRef")
    if target is None or event["stage"] != "ResponseComplete":
        return None
    return Request(
        user=event["user"].get("username", ""),
        verb=event["verb"],
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        received=_seconds(event["requestReceivedTimestamp"]),
        done=_seconds(event["stageTimestamp"]),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class AuditReader:
    """Follows the log and keeps the requests of one user."""

    path: Path
    user: str
    requests: list[Request] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> list[Request]:
        """Read what was written meanwhile and return all requests so far."""
        with self.path.open("rb") as log:
            log.seek(self._offset)
            content = log.read()
        whole = content.rfind(b"\n") + 1  # a line that is still being written is left
        self._offset += whole
        mark = self.user.encode()
        lines = (line for line in content[:whole].splitlines() if mark in line)
        found = (request for request in map(parse_request, lines) if request is not None)
        self.requests.extend(each for each in found if each.user == self.user)
        return self.requests


def count_requests(requests: Iterable[Request]) -> dict[str, int]:
    """Count requests by `verb resource[/subresource]`, failed ones apart, Leases left out."""
    counts = Counter(_describe(each) for each in requests if each.resource != LEASES)
    return dict(sorted(counts.items()))


def _describe(request: Request) -> str:
    sub = f"/{request.subresource}" if request.subresource else ""
    failed = f" {request.code}" if request.code >= 400 else ""
    return f"{request.verb} {request.resource}{sub}{failed}"


def writes_of(requests: Iterable[Request]) -> list[Request]:
    """Return the writes, Leases left out."""
    return [each for each in requests if each.writes]


def reads_of(requests: Iterable[Request]) -> list[Request]:
    """Return the reads of single objects: lists at a start are no matter of a system."""
    return [each for each in requests if each.verb == "get" and each.resource != LEASES]


def last_done(requests: Sequence[Request]) -> float:
    """Return when the last of some requests was answered."""
    return max(each.done for each in requests)
