"""The one place that speaks HTTP with the API server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from trading_operator.kube.backoff import delay
from trading_operator.kube.connection import Connection
from trading_operator.kube.errors import ApiError, NotLeadingError, parse_error
from trading_operator.kube.fence import FencedBody
from trading_operator.kube.resources import Resource
from trading_operator.metrics import Metrics

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

FIELD_MANAGER = "trading-operator"
REQUEST_SECONDS = 30.0
READ_ATTEMPTS = 4
URGENT_REQUESTS = 8
is_urgent: ContextVar[bool] = ContextVar("is_urgent", default=False)  # of the pass that sends
_METHODS = {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "delete": "DELETE"}
_BROKEN = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


def items_of(answer: Mapping[str, Any]) -> Sequence[Any]:
    """Return the items of a list; an API server spells none of them as null, where it converts."""
    return answer.get("items") or ()


@dataclass(frozen=True)
class Call:
    """One request: what is to be done to which object."""

    verb: str  # get | list | create | update | patch | delete
    resource: Resource
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None
    body: Any = None
    content_type: str = JSON
    params: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON
    timeout: float = REQUEST_SECONDS

    @property
    def path(self) -> str:
        """Return the path of the request."""
        name = None if self.verb == "create" else self.name
        return self.resource.path(self.namespace, name, self.subresource)

    @property
    def reads(self) -> bool:
        """Whether the request changes nothing, so that it may be sent twice."""
        return self.verb in ("get", "list")


class Transport:
    """Sends requests over one pool of connections, a bounded number at a time."""

    def __init__(self, connection: Connection, metrics: Metrics, requests: int) -> None:
        self._server = connection.server
        self._session = connection.open_session()
        self._metrics = metrics
        self._slots = asyncio.Semaphore(requests)
        # Ways back do not wait behind the changes of other systems.
        self._urgent_slots = asyncio.Semaphore(URGENT_REQUESTS)
        self._may_write: Callable[[], bool] = lambda: True

    def fence_writes(self, may_write: Callable[[], bool]) -> None:
        """Hold back every write from now on while `may_write` says no."""
        self._may_write = may_write

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, call: Call) -> Any:
        """Send a request and return the decoded answer.

        Reads are tried again after 429, 5xx and broken connections; writes only after 429,
        which says that they were not carried out. Raises ApiError.
        """
        for attempt in range(READ_ATTEMPTS):
            try:
                async with self._urgent_slots if is_urgent.get() else self._slots:
                    if not call.reads and not self._may_write():
                        raise NotLeadingError(f"{call.verb} {call.path}")
                    return await self._exchange(call, self._build_fenced(call))
            except ApiError as error:
                repeatable = error.status == 429 or (call.reads and error.ambiguous)
                if not repeatable or attempt == READ_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(max(delay(attempt), error.retry_after or 0.0))
        raise AssertionError("the last attempt returns or raises")

    async def send_once(self, call: Call) -> Any:
        """Send a request once, at once: no fence, no waiting for a slot, no second attempt."""
        return await self._exchange(call, _build_body(call))

    def _build_fenced(self, call: Call) -> FencedBody | None:
        body = _build_body(call)
        return None if body is None else FencedBody(body, self._may_write)

    async def _exchange(self, call: Call, body: bytes | FencedBody | None) -> Any:
        started = time.monotonic()
        try:
            async with self._session.request(
                _METHODS.get(call.verb, "PATCH"),
                self._server + call.path,
                params=call.params,
                data=body,
                headers={"Content-Type": call.content_type, "Accept": call.accept},
                timeout=aiohttp.ClientTimeout(total=call.timeout),
            ) as response:
                return self._decode(call, response, await response.read())
        except _BROKEN as error:
            if isinstance(error.__cause__, NotLeadingError):
                raise error.__cause__ from error
            self._count(call, 0)
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ApiError(0, "NoAnswer", f"{call.verb} {call.path}: {what}") from error
        finally:
            seconds = self._metrics.api_request_seconds.labels(call.verb, call.resource.plural)
            seconds.observe(time.monotonic() - started)

    async def stream(
        self, resource: Resource, namespace: str | None, params: Mapping[str, str], silence: float
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a watch; one that says nothing for `silence` seconds is broken.

        Raises ApiError.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        path = resource.path(namespace)
        call = Call("watch", resource, namespace)
        try:
            async with self._session.get(
                self._server + path, params={"watch": "1", **params}, timeout=timeout
            ) as response:
                if response.status != 200:
                    self._decode(call, response, await response.read())
                self._count(call, 200)
                async for line in _read_lines(response.content):
                    yield orjson.loads(line)
        except _BROKEN as error:
            self._count(call, 0)
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ApiError(0, "NoAnswer", f"watch {path}: {what}") from error

    def _decode(self, call: Call, response: aiohttp.ClientResponse, content: bytes) -> Any:
        self._count(call, response.status)
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        if response.status >= 400:
            raise parse_error(response.status, body, response.headers.get("Retry-After"))
        return body

    def _count(self, call: Call, code: int) -> None:
        self._metrics.api_requests.labels(call.verb, call.resource.plural, str(code)).inc()


def _build_body(call: Call) -> bytes | None:
    return None if call.body is None else orjson.dumps(call.body)


async def _read_lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    # Not readline(): it refuses lines over 128 KiB, and objects may have 1.5 MiB.
    rest = b""
    async for chunk in content.iter_any():
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if line:
                yield line
