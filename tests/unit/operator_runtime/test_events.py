"""Events are posted once a change, counted up when they repeat, and never in the way."""

import asyncio
from typing import Any

from trading_operator.kube import events as events_module
from trading_operator.kube.events import EventPoster
from trading_operator.metrics import Metrics
from trading_operator.observe.event_text import EventText
from unit.operator_runtime.objects import build_body
from unit.operator_runtime.scripted_server import ScriptedServer, answer_error, answer_json
from unit.operator_runtime.waiting import until

READY = EventText("Normal", "Ready", "all is well")
FAILED = EventText("Warning", "ImagePullFailed", "no such image", "api")


async def _post(server: ScriptedServer, *texts: EventText) -> Metrics:
    metrics = Metrics()
    async with server.transport() as transport:
        poster = EventPoster(transport, "replica-0", metrics)
        poster.post(build_body(version=7), texts)
        task = asyncio.create_task(poster.run())
        await until(lambda: len(server.requests) >= len(texts))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return metrics


def _event(server: ScriptedServer) -> Any:
    return server.bodies[0]


async def test_an_event_says_what_happened_to_what() -> None:
    server = ScriptedServer(answer_json({}, 201))
    await _post(server, FAILED)
    assert server.requests[0] == ("POST", "/apis/events.k8s.io/v1/namespaces/ns/events")
    event = _event(server)
    assert (event["type"], event["reason"]) == ("Warning", "ImagePullFailed")
    assert event["note"] == "api: no such image"
    assert event["regarding"]["kind"] == "TradingSystem"
    assert event["regarding"]["uid"] == "owner-uid"
    assert event["reportingInstance"] == "replica-0"


async def test_the_same_change_has_the_same_name_after_a_restart() -> None:
    first, second = ScriptedServer(answer_json({}, 201)), ScriptedServer(answer_json({}, 201))
    await _post(first, READY)
    await _post(second, READY)
    assert _event(first)["metadata"]["name"] == _event(second)["metadata"]["name"]


async def test_an_event_that_repeats_is_counted_up() -> None:
    server = ScriptedServer(answer_json({}))
    await _post(server, READY, FAILED, READY)
    assert [method for method, _ in server.requests] == ["POST", "POST", "PATCH"]
    assert server.bodies[2]["series"]["count"] == 2


async def test_a_refused_event_is_counted_and_the_next_one_is_posted() -> None:
    server = ScriptedServer(answer_error(403, "Forbidden"), answer_json({}, 201))
    metrics = await _post(server, READY, FAILED)
    assert metrics.events_dropped._value.get() == 1
    assert len(server.requests) == 2


async def test_too_many_events_are_dropped_and_nobody_waits() -> None:
    metrics = Metrics()
    async with ScriptedServer(answer_json({})).transport() as transport:
        poster = EventPoster(transport, "me", metrics)
        many = (EventText("Normal", "R", str(number)) for number in range(1500))
        poster.post(build_body(), many)
    assert metrics.events_dropped._value.get() == 1500 - events_module.WAITING
