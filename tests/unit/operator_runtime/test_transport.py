"""Requests: what is tried again, what is not, and what an error says."""

import asyncio
import logging
import socket
from dataclasses import replace

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from trading_operator.kube.connection import Connection
from trading_operator.kube.errors import ApiError, NotLeadingError, parse_error
from trading_operator.kube.resources import CONFIG_MAPS, PODS, STORAGE_CLASSES, TRADING_SYSTEMS
from trading_operator.kube.transport import Call, Transport
from trading_operator.metrics import Metrics
from unit.operator_runtime.scripted_server import (
    ScriptedServer,
    answer_broken,
    answer_error,
    answer_json,
    answer_stream,
)

GET = Call("get", CONFIG_MAPS, "ns", "a")
POST = Call("create", CONFIG_MAPS, "ns", "a", body={"x": 1}, params={"fieldManager": "me"})


def test_paths_follow_the_api_conventions() -> None:
    assert GET.path == "/api/v1/namespaces/ns/configmaps/a"
    assert POST.path == "/api/v1/namespaces/ns/configmaps"
    assert PODS.path() == "/api/v1/pods"
    assert STORAGE_CLASSES.path("ns") == "/apis/storage.k8s.io/v1/storageclasses"
    status = TRADING_SYSTEMS.path("ns", "one", "status")
    prefix = "/apis/tradingoperator.io/v1alpha1/namespaces/ns/tradingsystems"
    assert status == f"{prefix}/one/status"


async def test_a_read_is_tried_again_after_overload_errors_and_broken_connections() -> None:
    server = ScriptedServer(
        answer_error(429, "TooManyRequests"),
        answer_error(503, "ServiceUnavailable"),
        answer_broken(),
        answer_json({"kind": "ConfigMap"}),
    )
    async with server.transport() as transport:
        assert await transport.send(GET) == {"kind": "ConfigMap"}


async def test_a_write_is_tried_again_only_when_it_was_surely_not_carried_out() -> None:
    server = ScriptedServer(answer_error(429, "TooManyRequests"), answer_json({}, 201))
    async with server.transport() as transport:
        assert await transport.send(POST) == {}
    assert server.bodies == [{"x": 1}, {"x": 1}]
    assert server.requests[0] == ("POST", f"{POST.path}?fieldManager=me")

    for ambiguous in (answer_error(500, "InternalError"), answer_broken()):
        server = ScriptedServer(ambiguous, answer_json({}, 201))
        async with server.transport() as transport:
            with pytest.raises(ApiError) as caught:
                await transport.send(POST)
        assert caught.value.ambiguous
        assert len(server.requests) == 1


async def test_a_server_that_asks_for_patience_gets_it() -> None:
    patience = answer_error(429, "TooManyRequests", **{"Retry-After": "1"})
    server = ScriptedServer(patience, answer_json({}))
    async with server.transport() as transport:
        started = asyncio.get_running_loop().time()
        await transport.send(GET)
        assert asyncio.get_running_loop().time() - started >= 1.0


async def test_an_error_names_the_fields_that_were_refused() -> None:
    causes = [{"field": "spec.replicas", "message": "must be positive"}]
    body = {"reason": "Invalid", "message": "is invalid", "details": {"causes": causes}}
    server = ScriptedServer(answer_json(body, 422))
    async with server.transport() as transport:
        with pytest.raises(ApiError) as caught:
            await transport.send(POST)
    assert caught.value.refused
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")
    assert caught.value.causes[0].field == "spec.replicas"


def test_refusals_in_a_namespace_that_is_being_deleted_are_no_news() -> None:
    causes = [{"reason": "NamespaceTerminating", "field": "metadata.namespace", "message": "x"}]
    ending = parse_error(403, {"reason": "Forbidden", "details": {"causes": causes}})
    assert ending.log_level == logging.DEBUG
    assert parse_error(403, {"reason": "Forbidden"}).log_level == logging.WARNING


async def test_an_error_page_of_a_proxy_is_an_error_too() -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(status=403, text="<html>no</html>")

    async with ScriptedServer(page).transport() as transport:
        with pytest.raises(ApiError) as caught:
            await transport.send(GET)
    assert caught.value.status == 403


async def test_a_request_without_an_answer_ends() -> None:
    async def silence(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with ScriptedServer(silence).transport() as transport:
        with pytest.raises(ApiError) as caught:
            await transport.send(Call("create", CONFIG_MAPS, "ns", body={}, timeout=0.1))
    assert caught.value.status == 0


async def test_no_write_leaves_without_leadership_and_reads_do() -> None:
    server = ScriptedServer(answer_json({}))
    async with server.transport() as transport:
        transport.fence_writes(lambda: False)
        with pytest.raises(NotLeadingError):
            await transport.send(POST)
        await transport.send(GET)
        await transport.send_once(POST)  # the Lease itself
    assert [method for method, _ in server.requests] == ["GET", "POST"]


async def test_requests_in_flight_are_bounded() -> None:
    now, most = 0, 0

    async def slow(_: web.Request) -> web.StreamResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return web.json_response({})

    async with ScriptedServer(slow).transport(requests=3) as transport:
        await asyncio.gather(*(transport.send(GET) for _ in range(20)))
    assert most == 3


async def test_a_watch_line_may_be_long_and_arrive_in_pieces() -> None:
    events = [{"type": "ADDED", "object": {"data": "x" * 300_000}}, {"type": "BOOKMARK"}]
    server = ScriptedServer(answer_stream(*events, pieces=70_001))
    async with server.transport() as transport:
        stream = transport.stream(PODS, None, {}, silence=5)
        assert [event async for event in stream] == events


async def test_a_silent_watch_is_a_broken_one() -> None:
    server = ScriptedServer(answer_stream({"type": "BOOKMARK"}, then=30))
    async with server.transport() as transport:
        with pytest.raises(ApiError) as caught:
            _ = [event async for event in transport.stream(PODS, None, {}, silence=0.1)]
    assert caught.value.status == 0


async def test_requests_are_counted_by_verb_resource_and_code() -> None:
    server = ScriptedServer(answer_error(503, "ServiceUnavailable"), answer_json({}))
    async with server.transport() as transport:
        await transport.send(GET)
        counts = transport._metrics.api_requests
        for code in ("503", "200"):
            assert counts.labels("get", "configmaps", code)._value.get() == 1


async def test_a_write_is_held_back_at_the_last_moment_too() -> None:
    server = ScriptedServer(answer_json({}, 201))
    answers = [True, False]  # leads when asked first, no more when the connection stands
    async with server.transport() as transport:
        transport.fence_writes(lambda: answers.pop(0))
        with pytest.raises(NotLeadingError):
            await transport.send(POST)
        transport.fence_writes(lambda: True)
        await transport.send(POST)
    assert answers == []
    assert server.bodies == [{"x": 1}]


async def test_an_agent_and_the_patience_with_unconfirmed_bytes_are_set_on_connections() -> None:
    server = ScriptedServer(answer_json({}))
    async with server.running():
        plain = Connection(server.url, Configuration(host=server.url), False)
        connection = replace(plain, agent="operator/1 (pod)", unacknowledged=2.5)
        transport = Transport(connection, Metrics(), 1)
        await transport.send(GET)
        opened = connection._open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("", 0)))
        await transport.close()
    assert server.headers[0]["User-Agent"] == "operator/1 (pod)"
    with opened:
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2500
