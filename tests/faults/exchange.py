"""One request of the operator on its way through the proxy: who asks for what."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from faults.points import Stream

_PATH = re.compile(
    r"^/(?:api|apis/[^/]+)/[^/]+/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/?]+)"
    r"(?:/(?P<name>[^/?]+))?(?:/(?P<sub>[^?]+))?"
)
_REPLICA = re.compile(r"^trading-operator/\S+ \((.+)\)$")
_STREAMS = {"events": Stream.EVENT, "leases": Stream.LEASE}
# Of the headers those that belong to a connection and not to what is said over it.
_HOP = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade"}
)


@dataclass(frozen=True)
class Target:
    """What a request is about."""

    plural: str = ""
    name: str = ""
    sub: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.plural, self.name, self.sub) if part)

    @property
    def stream(self) -> Stream:
        """Return among which writes a write to it counts."""
        return _STREAMS.get(self.plural, Stream.WRITE)


@dataclass(frozen=True)
class Exchange:
    """A request as the operator sent it."""

    method: str
    path: str  # with its query
    headers: Mapping[str, str]
    body: bytes
    replica: str
    target: Target = field(default_factory=Target)

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True)
class Answer:
    """What the operator is told."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def done(self) -> bool:
        """Tell whether the request was carried out."""
        return self.code < 300


SILENCE = Answer(0, {}, b"")  # nothing is ever told, and the connection stays


def read_target(method: str, path: str, body: bytes) -> Target:
    """Return what a request is about; a POST names its object in the body."""
    found = _PATH.match(path)
    if found is None:
        return Target()
    name = found["name"] or ""
    if method == "POST" and not name:
        name = orjson.loads(body).get("metadata", {}).get("name", "")
    return Target(found["plural"], name, found["sub"] or "")


def read_replica(headers: Mapping[str, str]) -> str:
    """Return the name of the replica that asks, "" of one that does not say."""
    found = _REPLICA.match(headers.get("User-Agent", ""))
    return "" if found is None else found[1]


def end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that are passed on."""
    return {name: value for name, value in headers.items() if name.lower() not in _HOP}


def build_refusal(code: int, reason: str, **headers: str) -> Answer:
    """Build the answer of an API server that refuses."""
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": f"{reason}: a fault of the test",
        "code": code,
    }
    return Answer(code, {"Content-Type": "application/json", **headers}, orjson.dumps(status))
