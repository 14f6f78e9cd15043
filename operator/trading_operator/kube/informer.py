"""Keeps the cache up with one resource type: list, watch, and again after every mishap."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from trading_operator.kube.backoff import delay
from trading_operator.kube.errors import ApiError, parse_error
from trading_operator.kube.resources import Resource
from trading_operator.kube.transport import Call, Transport, items_of
from trading_operator.metrics import Metrics

PAGE = 500
# The API server sends a bookmark every minute; a watch without one for this long is dead.
SILENCE_SECONDS = 90.0
LIST_SECONDS = 60.0
STALLED_SECONDS = 150.0
# A watch that ends sooner, by itself and without an event, is no watch.
SHORT_SECONDS = 1.0
GONE = 410
_LISTED = "k8s.io/initial-events-end"

_log = logging.getLogger(__name__)
Event = Mapping[str, Any]


class Sink(Protocol):
    """What takes the objects that a watch tells of."""

    def read(self, manifest: dict[str, Any]) -> Any:
        """Build what is kept of a listed object; takes the object over."""

    def put(self, manifest: dict[str, Any]) -> object:
        """Take a new or changed object."""

    def remove(self, manifest: dict[str, Any]) -> None:
        """Take that an object is gone."""

    def replace(
        self, kind: str, namespace: str | None, listed: Iterable[Any], version: int
    ) -> None:
        """Take a whole list as of a version."""


@dataclass(frozen=True)
class WatchHealth:
    """Whether a watch can be relied on, and why not."""

    watch: str
    synced: bool
    stalled: bool
    error: str


class Informer:
    """One list and watch of one resource type, in one namespace or in all."""

    def __init__(
        self,
        transport: Transport,
        cache: Sink,
        resource: Resource,
        namespace: str | None,
        metrics: Metrics,
    ) -> None:
        self._transport = transport
        self._cache = cache
        self._resource = resource
        self._namespace = namespace
        self._metrics = metrics
        self._version = ""  # where the watch goes on; empty means that a list is needed
        self._streams_lists = True
        self._failures = 0
        self._gone = 0  # how often in a row, without an event of a watch between
        self._heard = time.monotonic()
        self._error = ""
        self.synced = asyncio.Event()

    def health(self) -> WatchHealth:
        """Tell whether this watch can be relied on now."""
        name = f"{self._resource.plural} in {self._namespace or 'all namespaces'}"
        stalled = self.silence() > STALLED_SECONDS
        return WatchHealth(name, self.synced.is_set(), stalled, self._error)

    @property
    def watched(self) -> tuple[str, str]:
        """Return the resource and the namespace that are watched; "" means all namespaces."""
        return self._resource.plural, self._namespace or ""

    def silence(self) -> float:
        """Return the seconds since the API server said something."""
        return time.monotonic() - self._heard

    async def run(self) -> None:
        """List and watch for ever."""
        while True:
            started = time.monotonic()
            try:
                await self._advance()
            except ApiError as error:
                await self._recover(error)
            else:
                if self._heard < started and time.monotonic() - started < SHORT_SECONDS:
                    await self._back_off("the watch ended at once")

    async def _advance(self) -> None:
        if self._version:
            await self._watch()
        elif self._streams_lists:
            await self._stream_list()
        else:
            await self._page_list()

    async def _recover(self, error: ApiError) -> None:
        self._metrics.watch_restarts.labels(self._resource.plural).inc()
        if error.status == GONE:
            self._version = ""
            self._gone += 1
            if self._gone > 1:  # the list that followed on the first one was of no use
                self._failures = max(self._failures, self._gone - 2)
                await self._back_off(str(error))
            return
        if not self._version and self._streams_lists and error.status not in (401, 403, 429):
            # Servers without WatchList, or with an etcd that cannot serve it, say so in many
            # ways (400, 422, 500 in the stream, silence): the paged list serves everywhere.
            self._streams_lists = False
            _log.info("no streamed list", extra={"watch": self.health().watch, "why": str(error)})
            return
        await self._back_off(str(error), error.retry_after or 0.0)

    async def _back_off(self, why: str, at_least: float = 0.0) -> None:
        self._error = why
        _log.warning("watch failed", extra={"watch": self.health().watch, "error": why})
        await asyncio.sleep(max(delay(self._failures, longest=15.0), at_least))
        self._failures += 1

    async def _stream_list(self) -> None:
        """List and go on watching in one stream, so that no answer holds the whole list."""
        params = self._watch_params(sendInitialEvents="true", resourceVersionMatch="NotOlderThan")
        events = self._events(params)
        try:
            async with asyncio.timeout(LIST_SECONDS):
                await self._take_list(events)
        except TimeoutError as error:
            raise ApiError(0, "Incomplete", f"no list in {LIST_SECONDS} s") from error
        async for event in events:
            self._take(event)

    async def _take_list(self, events: AsyncIterator[Event]) -> None:
        listed: list[Any] = []
        async for event in events:
            if event["type"] == "ADDED":
                listed.append(self._cache.read(event["object"]))
            elif event["type"] == "BOOKMARK" and _ends_the_list(event["object"]):
                return self._store(listed, event["object"]["metadata"]["resourceVersion"])
        raise ApiError(0, "Incomplete", "the initial list broke off")

    async def _page_list(self) -> None:
        items: list[Any] = []
        params = {**self._resource.selectors, "limit": str(PAGE)}
        while True:
            call = Call("list", self._resource, self._namespace, params=params)
            page = await self._transport.send(call)
            items.extend(map(self._cache.read, self._with_kind(items_of(page))))
            more = page["metadata"].get("continue")
            if not more:
                return self._store(items, page["metadata"]["resourceVersion"])
            params["continue"] = more

    async def _watch(self) -> None:
        params = self._watch_params(resourceVersion=self._version)
        async for event in self._events(params):
            self._take(event)

    async def _events(self, params: Mapping[str, str]) -> AsyncIterator[Event]:
        stream = self._transport.stream(self._resource, self._namespace, params, SILENCE_SECONDS)
        async for event in stream:
            if event["type"] == "ERROR":
                raise parse_error(event["object"].get("code", 0), event["object"])
            self._heard = time.monotonic()
            yield event

    def _watch_params(self, **more: str) -> dict[str, str]:
        return {
            **self._resource.selectors,
            "allowWatchBookmarks": "true",
            # Spread, so that not all watches of all replicas end at the same time.
            "timeoutSeconds": str(random.randint(240, 420)),
            **more,
        }

    def _store(self, items: list[Any], version: str) -> None:
        self._cache.replace(self._resource.kind, self._namespace, items, int(version))
        self._version = version
        self._caught_up()

    def _take(self, event: Event) -> None:
        manifest = event["object"]
        self._version = manifest["metadata"]["resourceVersion"]
        self._gone = 0
        self._caught_up()
        if event["type"] in ("ADDED", "MODIFIED"):
            self._cache.put(manifest)
        elif event["type"] == "DELETED":
            self._cache.remove(manifest)

    def _caught_up(self) -> None:
        self._failures, self._error = 0, ""
        self._heard = time.monotonic()
        self.synced.set()

    def _with_kind(self, items: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        # A list leaves out of its items what is the same for all of them.
        common = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
        return ({**common, **item} for item in items)


def _ends_the_list(bookmark: Mapping[str, Any]) -> bool:
    annotations = bookmark["metadata"].get("annotations") or {}
    return annotations.get(_LISTED) == "true"
