"""Every error ends in its own system's pass, and says what it was."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web

from trading_operator.controllers import loop as loop_module
from trading_operator.controllers.deletion import seconds_to_deadline
from trading_operator.controllers.kind import Kind, Parting
from trading_operator.controllers.loop import TOLD_AFTER_TIMES, Loop
from trading_operator.controllers.registry import Body
from trading_operator.controllers.report import Farewell, Report
from trading_operator.controllers.trading_state import known_status
from trading_operator.controllers.trading_systems import SystemFacts, Systems, read_facts
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.errors import ApiError, NotLeadingError
from trading_operator.kube.events import EventPoster
from trading_operator.kube.finalizer import ORDERED_STOP
from trading_operator.kube.named import NamedReader
from trading_operator.kube.resources import TRADING_SYSTEMS
from trading_operator.kube.transport import Transport
from trading_operator.kube.work_queue import WorkQueue
from trading_operator.log_format import JsonFormatter
from trading_operator.metrics import Metrics
from trading_operator.observe.event_text import EventText
from trading_operator.observe.events import events_between
from trading_operator.observe.trading_system import invalid_status
from trading_operator.plan.types import InvalidSpecError
from unit.operator_runtime.objects import build_body, build_config_map
from unit.operator_runtime.scripted_server import ScriptedServer
from unit.operator_runtime.waiting import until

ONE, TWO = Key("ns", "one"), Key("ns", "two")
READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "R", "message": "m"}]}


def build_systems(wake: Callable[[Key], None], forget: Callable[[Key], None]) -> Systems:
    """Build a registry of trading systems."""
    return Systems(TRADING_SYSTEMS.kind, read_facts, wake, forget)


class StatusServer:
    """Answers status patches as the API server does: by resourceVersion, missing ones by 404."""

    def __init__(self) -> None:
        self.version = 100
        self.statuses: dict[str, Any] = {}
        self.missing: set[str] = set()
        self.finalizers: dict[str, list[str]] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        parts = request.path.split("/")
        name = parts[parts.index("tradingsystems") + 1]
        if name in self.missing:
            return web.json_response({"reason": "NotFound"}, status=404)
        if request.method == "GET":
            return web.json_response(build_body(name))
        body = await request.json()
        self.version += 1
        if "status" not in body:
            self.finalizers[name] = body["metadata"]["finalizers"]
            return web.json_response(build_body(name, self.version))
        self.statuses[name] = body["status"]
        return web.json_response(build_body(name, self.version, status=body["status"]))


class Poster(EventPoster):
    """Remembers what it is given to post."""

    def __init__(self, transport: Transport, instance: str, metrics: Metrics) -> None:
        super().__init__(transport, instance, metrics)
        self.texts: list[EventText] = []

    def post(self, body: Body, texts: Iterable[EventText]) -> None:
        """Remember Events, and put them in line."""
        told = tuple(texts)
        self.texts += told
        super().post(body, told)


class Bench:
    """A loop over two systems whose passes do as they are told."""

    def __init__(self, kube: Kube, server: StatusServer) -> None:
        self.server = server
        self.passes: list[str] = []
        self.ends: list[str] = []
        self.farewell = Farewell()
        self.outcomes: dict[str, Any] = {}
        self.queue: WorkQueue[Key] = WorkQueue()
        self.systems = build_systems(self.queue.wake, self.queue.forget)
        self.metrics = Metrics()
        self.kube = kube
        poster = Poster(kube.transport, "me", self.metrics)
        self.posted = poster.texts
        self.loop = Loop(kube, self.systems, self.queue, self._kind(), poster, self.metrics)

    def _kind(self) -> Kind[SystemFacts]:
        return Kind(
            resource=TRADING_SYSTEMS,
            read_facts=read_facts,
            reconcile=self._reconcile,
            invalid_status=invalid_status,
            known_status=known_status,
            tell=events_between,
            parting=Parting(self._end, seconds_to_deadline),
        )

    async def _reconcile(self, body: Body, _: datetime) -> Report:
        name = body["metadata"]["name"]
        self.passes.append(name)
        outcome = self.outcomes.get(name, READY)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Report) else Report(outcome)

    async def _end(self, body: Body, _: datetime) -> Farewell:
        self.ends.append(body["metadata"]["name"])
        return self.farewell

    def count(self, result: str) -> float:
        """Return how many passes had a result."""
        value: float = self.metrics.reconciles.labels(result)._value.get()
        return value

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Return a condition of a written status."""
        conditions = self.server.statuses[name]["conditions"]
        return next(each for each in conditions if each["type"] == kind)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A loop over systems `one` and `two`."""
    server = StatusServer()
    async with ScriptedServer(server.answer).transport() as transport:
        kube = Kube(
            transport, Cache(lambda _: None), NamedReader(transport), CapacityReader(transport)
        )
        made = Bench(kube, server)
        for name in ("one", "two"):
            made.systems.take_event("ADDED", build_body(name))
        yield made


@asynccontextmanager
async def _running(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.loop.run(4))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_crash_in_one_system_is_told_and_stops_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.outcomes["one"] = ValueError("password=hunter2")
    async with _running(bench):
        await until(lambda: bench.passes.count("one") >= 3 and "two" in bench.server.statuses)
    assert bench.count("error") >= 3
    assert bench.count("success") >= 1
    stalled = bench.condition("one", "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "InternalError")
    assert "hunter2" not in stalled["message"]
    record = next(each for each in caplog.records if each.message == "pass failed")
    line = json.loads(JsonFormatter().format(record))
    assert line["system"] == "ns/one"
    assert "ValueError: password=hunter2" in line["traceback"]


async def test_a_crash_that_is_over_leaves_no_trace(bench: Bench) -> None:
    bench.outcomes["one"] = ValueError("x")
    await bench.loop.reconcile_once(ONE)
    bench.outcomes["one"] = READY
    await bench.loop.reconcile_once(ONE)
    assert bench.server.statuses["one"] == READY


async def test_an_invalid_spec_is_told_and_waits_for_an_edit(bench: Bench) -> None:
    bench.outcomes["one"] = InvalidSpecError("spec.services[0]", "makes no sense", "mend it")
    await bench.loop.reconcile_once(ONE)
    assert bench.count("invalid") == 1
    assert "spec.services[0]" in bench.condition("one", "Stalled")["message"]


async def test_what_a_pass_has_to_tell_is_posted_though_its_status_is_the_same(
    bench: Bench,
) -> None:
    event = EventText("Normal", "RollingComponent", "image a:1 -> a:2", "app")
    for _ in range(2):
        bench.outcomes["one"] = Report(READY, events=(event,))
        await bench.loop.reconcile_once(ONE)
    assert bench.posted.count(event) == 2


async def test_a_refused_read_is_told(bench: Bench) -> None:
    bench.outcomes["one"] = ApiError(403, "Forbidden", "cannot get secrets")
    await bench.loop.reconcile_once(ONE)
    assert bench.count("refused") == 1
    assert "cannot get secrets" in bench.condition("one", "Stalled")["message"]


@pytest.mark.parametrize("error", [ApiError(409, "Conflict", "x"), ApiError(0, "NoAnswer", "x")])
async def test_a_passing_error_is_repeated_and_not_told(bench: Bench, error: ApiError) -> None:
    bench.outcomes["one"] = error
    await bench.loop.reconcile_once(ONE)
    assert bench.count("api_error") == 1
    assert "one" not in bench.server.statuses
    async with asyncio.timeout(5):
        while await bench.queue.take() != ONE:
            pass


async def test_a_passing_error_that_lasts_is_told_and_stalls_nothing(bench: Bench) -> None:
    bench.outcomes["one"] = ApiError(500, "InternalError", "webhook down")
    for _ in range(TOLD_AFTER_TIMES - 1):
        await bench.loop.reconcile_once(ONE)
    assert "one" not in bench.server.statuses
    await bench.loop.reconcile_once(ONE)
    reconciling = bench.condition("one", "Reconciling")
    assert (reconciling["status"], reconciling["reason"]) == ("True", "Retrying")
    assert "webhook down" in reconciling["message"]
    assert [each["type"] for each in bench.server.statuses["one"]["conditions"]] == ["Reconciling"]
    version = bench.server.version
    await bench.loop.reconcile_once(ONE)
    assert bench.server.version == version  # told once

    bench.outcomes["one"] = READY
    await bench.loop.reconcile_once(ONE)
    assert bench.server.statuses["one"] == READY


async def test_slow_failures_are_told_by_their_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "TOLD_AFTER_SECONDS", 0.0)
    bench.outcomes["one"] = ApiError(0, "NoAnswer", "silence")
    await bench.loop.reconcile_once(ONE)
    assert "silence" in bench.condition("one", "Reconciling")["message"]


async def test_a_pass_that_lost_the_lease_is_left_to_the_next_leader(bench: Bench) -> None:
    bench.outcomes["one"] = NotLeadingError("patch x")
    await bench.loop.reconcile_once(ONE)
    assert bench.count("not_leading") == 1


async def test_an_unchanged_status_is_not_written_again(bench: Bench) -> None:
    await bench.loop.reconcile_once(ONE)
    written = bench.server.version
    await bench.loop.reconcile_once(ONE)
    assert bench.server.version == written


async def test_the_echo_of_our_own_status_wakes_nobody(bench: Bench) -> None:
    await bench.loop.reconcile_once(ONE)
    body = bench.systems.get(ONE)
    assert body is not None
    bench.queue.forget(ONE)
    bench.systems.take_event("MODIFIED", dict(body))
    assert await bench.queue.take() == TWO
    assert bench.queue.depth == 0


async def test_a_system_that_is_gone_is_forgotten(bench: Bench) -> None:
    bench.server.missing.add("one")
    await bench.loop.reconcile_once(ONE)
    assert bench.systems.get(ONE) is None
    assert bench.systems.get(TWO) is not None


async def test_a_system_on_its_way_out_is_left_alone(bench: Bench) -> None:
    body = build_body("one", 5)
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bench.systems.take_event("MODIFIED", body)
    await bench.loop.reconcile_once(ONE)
    assert bench.passes == bench.ends == []
    assert bench.server.finalizers == {}


async def test_what_waits_for_nobody_when_it_is_deleted_is_left_alone(bench: Bench) -> None:
    body = build_body("one", 5)
    body["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["theirs"]}
    bench.systems.take_event("MODIFIED", body)
    loop = replace(bench.loop, kind=replace(bench.loop.kind, parting=None))
    await loop.reconcile_once(ONE)
    assert bench.passes == bench.ends == []
    assert bench.server.finalizers == {}


async def test_a_system_that_stops_in_order_is_told_of_and_then_released(bench: Bench) -> None:
    body = build_body("one", 5)
    body["metadata"] |= {
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": [ORDERED_STOP, "theirs"],
    }
    body["spec"] = {}
    bench.systems.take_event("MODIFIED", body)
    bench.farewell = Farewell(Report(READY, 5.0))
    await bench.loop.reconcile_once(ONE)
    assert bench.server.statuses["one"] == READY
    assert bench.server.finalizers == {}

    bench.systems.take_event(
        "MODIFIED", {**body, "metadata": {**body["metadata"], "resourceVersion": "900"}}
    )
    bench.farewell = Farewell()
    await bench.loop.reconcile_once(ONE)
    assert bench.server.finalizers["one"] == ["theirs"]
    assert bench.passes == []


async def test_a_system_that_lost_a_child_is_asked_for_before_the_child_is_made_again(
    bench: Bench,
) -> None:
    bench.kube.cache.put(build_config_map("a", 1))
    bench.kube.cache.remove(build_config_map("a", 2))
    bench.server.missing.add("one")
    await bench.loop.reconcile_once(ONE)
    assert bench.passes == []
    assert bench.systems.get(ONE) is None


async def test_a_system_that_is_still_there_goes_on_after_it_lost_a_child(bench: Bench) -> None:
    bench.kube.cache.put(build_config_map("a", 1))
    bench.kube.cache.remove(build_config_map("a", 2))
    await bench.loop.reconcile_once(ONE)
    assert bench.passes == ["one"]
    assert bench.kube.cache.bereft == set()


def test_a_deleted_system_is_forgotten_but_not_its_successor() -> None:
    forgotten: list[Key] = []
    systems = build_systems(lambda _: None, forgotten.append)
    systems.take_event("ADDED", build_body("one", 1))
    systems.remove(ONE, "another-uid")
    assert systems.get(ONE) is not None
    systems.take_event("DELETED", build_body("one", 2))
    assert (systems.get(ONE), forgotten) == (None, [ONE])


def test_a_system_that_was_made_anew_unseen_inherits_no_memory() -> None:
    forgotten: list[Key] = []
    systems = build_systems(lambda _: None, forgotten.append)
    systems.take_event("ADDED", build_body("one", 1))
    anew = build_body("one", 5)
    anew["metadata"]["uid"] = "another-uid"
    systems.take_event("MODIFIED", build_body("one", 2))
    assert forgotten == []
    systems.take_event("ADDED", anew)
    assert forgotten == [ONE]
    body = systems.get(ONE)
    assert body is not None
    assert body["metadata"]["uid"] == "another-uid"


def test_logs_are_json_with_their_extra_fields() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "done %s", "args": (3,), "system": ONE})
    line = json.loads(JsonFormatter().format(record))
    assert (line["event"], line["system"], line["logger"]) == ("done 3", "ns/one", "x")
