"""Lists and watches that go wrong in every way that a real API server's do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from trading_operator.kube import informer as informer_module
from trading_operator.kube.cache import Cache, Id
from trading_operator.kube.informer import Informer
from trading_operator.kube.resources import CONFIG_MAPS
from trading_operator.metrics import Metrics
from unit.operator_runtime.objects import build_config_map
from unit.operator_runtime.scripted_server import (
    Answer,
    ScriptedServer,
    answer_error,
    answer_json,
    answer_stream,
)
from unit.operator_runtime.waiting import until

FOREVER = 60.0


class Watched:
    """An informer at work against a script."""

    def __init__(self, server: ScriptedServer, cache: Cache, informer: Informer) -> None:
        self.server = server
        self.cache = cache
        self.informer = informer

    def names(self) -> set[str]:
        """Return the names of the cached ConfigMaps."""
        return {place.name for place in self.cache._entries}


@asynccontextmanager
async def watching(*answers: Answer) -> AsyncIterator[Watched]:
    """Run an informer against a script."""
    server = ScriptedServer(*answers)
    cache = Cache(lambda _: None)
    async with server.transport() as transport:
        informer = Informer(transport, cache, CONFIG_MAPS, None, Metrics())
        task = asyncio.create_task(informer.run())
        try:
            yield Watched(server, cache, informer)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def added(name: str, version: int) -> dict[str, Any]:
    """Build an ADDED event."""
    return {"type": "ADDED", "object": build_config_map(name, version)}


def deleted(name: str, version: int) -> dict[str, Any]:
    """Build a DELETED event."""
    return {"type": "DELETED", "object": build_config_map(name, version)}


def bookmark(version: int, listed: bool = False) -> dict[str, Any]:
    """Build a bookmark, the one at the end of a list when `listed`."""
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if listed:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"type": "BOOKMARK", "object": {"metadata": metadata}}


def error(code: int) -> dict[str, Any]:
    """Build an ERROR event."""
    return {"type": "ERROR", "object": {"code": code, "reason": "Expired", "message": "gone"}}


def page(version: int, *names: str, more: str = "") -> Answer:
    """Build a page of a list; its items lack kind and apiVersion, as real ones do."""
    items = [build_config_map(name, version) for name in names]
    for item in items:
        del item["kind"], item["apiVersion"]
    return answer_json(
        {"metadata": {"resourceVersion": str(version), "continue": more}, "items": items}
    )


async def test_one_stream_is_list_and_watch() -> None:
    events = (added("a", 1), added("b", 2), bookmark(5, listed=True), deleted("a", 6))
    async with watching(answer_stream(*events, then=FOREVER)) as watched:
        await until(lambda: watched.names() == {"b"})
        assert watched.informer.synced.is_set()
        assert len(watched.server.requests) == 1
        assert "sendInitialEvents=true" in watched.server.requests[0][1]
        assert "labelSelector=app.kubernetes.io/managed-by" in watched.server.requests[0][1]


async def test_nothing_is_synced_before_the_list_is_complete() -> None:
    async with watching(answer_stream(added("a", 1), then=FOREVER)) as watched:
        await asyncio.sleep(0.1)
        assert not watched.informer.synced.is_set()
        assert watched.names() == set()


@pytest.mark.parametrize(
    "refusal",
    [
        answer_error(422, "Invalid", "sendInitialEvents is forbidden"),
        answer_error(400, "BadRequest"),
        answer_stream(error(500)),
        answer_stream(added("a", 1)),
    ],
    ids=["invalid", "bad-request", "error-event", "broken-off"],
)
async def test_without_streamed_lists_pages_are_read(refusal: Answer) -> None:
    async with watching(
        refusal,
        page(4, "a", more="next"),
        page(4, "b"),
        answer_stream(added("c", 5), then=FOREVER),
    ) as watched:
        await until(lambda: watched.names() == {"a", "b", "c"})
        first, second, third = (path for _, path in watched.server.requests[1:4])
        assert "limit=500" in first
        assert "continue=next" in second
        assert "resourceVersion=4" in third
        place = Id("ConfigMap", "ns", "a")
        entry = watched.cache.get(place)
        assert entry is not None
        assert entry.manifest["apiVersion"] == "v1"


async def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    async with watching(
        answer_stream(added("a", 1), bookmark(5, listed=True), bookmark(17)),
        answer_stream(added("b", 18), then=FOREVER),
    ) as watched:
        await until(lambda: watched.names() == {"a", "b"})
        assert "resourceVersion=17" in watched.server.requests[1][1]
        assert "sendInitialEvents" not in watched.server.requests[1][1]


@pytest.mark.parametrize("gone", [answer_error(410, "Expired"), answer_stream(error(410))])
async def test_a_version_that_is_too_old_is_listed_anew(gone: Answer) -> None:
    async with watching(
        answer_stream(added("a", 1), bookmark(5, listed=True)),
        gone,
        answer_stream(added("b", 8), bookmark(9, listed=True), then=FOREVER),
    ) as watched:
        await until(lambda: watched.names() == {"b"})


async def test_errors_are_waited_out_and_told() -> None:
    async with watching(
        answer_stream(added("a", 1), bookmark(5, listed=True)),
        answer_error(403, "Forbidden", "not you"),
        answer_error(503, "ServiceUnavailable"),
        answer_stream(added("b", 6), then=FOREVER),
    ) as watched:
        await until(lambda: "not you" in watched.informer.health().error)
        await until(lambda: watched.names() == {"a", "b"})
        assert watched.informer.health().error == ""


async def test_a_silent_watch_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer_module, "SILENCE_SECONDS", 0.1)
    async with watching(
        answer_stream(bookmark(5, listed=True), then=FOREVER),
        answer_stream(added("a", 6), then=FOREVER),
    ) as watched:
        await until(lambda: watched.names() == {"a"})


async def test_a_watch_without_a_sign_of_life_counts_as_stalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watching(answer_stream(bookmark(5, listed=True), then=FOREVER)) as watched:
        await until(watched.informer.synced.is_set)
        assert not watched.informer.health().stalled
        monkeypatch.setattr(informer_module, "STALLED_SECONDS", -1.0)
        assert watched.informer.health().stalled


async def test_watches_that_end_at_once_are_not_made_in_a_hot_loop() -> None:
    async with watching(
        answer_stream(added("a", 1), bookmark(5, listed=True)), answer_stream()
    ) as watched:
        await until(watched.informer.synced.is_set)
        await asyncio.sleep(0.6)
        assert 3 <= len(watched.server.requests) <= 8
        assert "ended at once" in watched.informer.health().error


async def test_versions_that_are_always_too_old_are_not_listed_in_a_hot_loop() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "sendInitialEvents" in request.query:
            return await answer_stream(added("a", 1), bookmark(5, listed=True))(request)
        return await answer_error(410, "Expired")(request)

    async with watching(answer) as watched:
        await until(watched.informer.synced.is_set)
        await asyncio.sleep(0.6)
        assert 4 <= len(watched.server.requests) <= 16
