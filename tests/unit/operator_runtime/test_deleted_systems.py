"""What is done and told of a system that was deleted."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from trading_operator.controllers.deletion import end_trading_system
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.named import NamedReader
from unit.operator_runtime.objects import build_body, build_config_map
from unit.operator_runtime.scripted_server import ScriptedServer

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OPERAND = OperandSettings(operator_namespace="trading-operator")


async def _answer(_: web.Request) -> web.StreamResponse:
    return web.json_response({"kind": "Namespace", "metadata": {}, "items": []})


async def test_a_system_that_goes_at_its_deadline_says_what_became_of_its_last_backup() -> None:
    body = build_body("one", spec={"deletion": {"volumes": "Snapshot", "backup": "nightly"}})
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    async with ScriptedServer(_answer).transport() as transport:
        named, capacity = NamedReader(transport), CapacityReader(transport)
        kube = Kube(transport, Cache(lambda _: None), named, capacity)
        farewell = await end_trading_system(kube, OPERAND, body, NOW)
    assert farewell.report is None
    told = [each.reason for each in farewell.events]
    assert told == ["LastBackupNotTaken", "StopDeadlineExceeded"]


@pytest.mark.parametrize("freed", [True, False])
async def test_children_that_were_freed_before_their_watch_says_so_are_not_stopped(
    freed: bool,
) -> None:
    body = build_body("one", status={"phase": "Ready"})
    body["metadata"]["deletionTimestamp"] = "2026-01-01T23:59:59Z"
    known = build_config_map("one-api", 1) | {"apiVersion": "apps/v1", "kind": "Deployment"}
    live: dict[str, Any] = {**known, "metadata": {**known["metadata"], "resourceVersion": "2"}}
    if freed:
        del live["metadata"]["ownerReferences"]

    async def answer(request: web.Request) -> web.StreamResponse:
        return (
            web.json_response(live) if "/deployments/" in request.path else await _answer(request)
        )

    server = ScriptedServer(answer)
    async with server.transport() as transport:
        named, capacity = NamedReader(transport), CapacityReader(transport)
        cache = Cache(lambda _: None)
        cache.put(known)
        kube = Kube(transport, cache, named, capacity)
        farewell = await end_trading_system(kube, OPERAND, body, NOW)
    assert farewell.report is not None
    wrote = [(method, path) for method, path in server.requests if method != "GET"]
    assert bool(wrote) is not freed
