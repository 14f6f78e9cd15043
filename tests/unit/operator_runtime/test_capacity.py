"""What there is room for is read once for all systems that change at the same time."""

import asyncio
from typing import Any

from aiohttp import web

from trading_operator.kube.capacity import CapacityReader
from unit.operator_runtime.scripted_server import ScriptedServer, answer_error

QUOTA = {"metadata": {"name": "desk"}, "spec": {}, "status": {"hard": {"pods": "9"}}}
SCOPED = {"metadata": {"name": "best"}, "spec": {"scopes": ["BestEffort"]}}
NODE = {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "8"}}}


async def _answer(request: web.Request) -> web.StreamResponse:
    items: list[Any] = [NODE] if request.path.endswith("/nodes") else [QUOTA, SCOPED]
    return web.json_response({"items": items})


async def test_many_systems_at_once_read_each_list_once() -> None:
    server = ScriptedServer(_answer)
    async with server.transport() as transport:
        reader = CapacityReader(transport)
        found = await asyncio.gather(*(reader.read("ns") for _ in range(5)))
        await reader.read("other")
    paths = sorted(path for _, path in server.requests)
    assert paths == [
        "/api/v1/namespaces/ns/resourcequotas",
        "/api/v1/namespaces/other/resourcequotas",
        "/api/v1/nodes",
    ]
    # A quota with scopes counts some pods alone.
    assert [quota.name for quota in found[0].quotas] == ["desk"]
    assert found[0].nodes == ({"cpu": "8"},)


async def test_what_may_not_be_read_is_left_out() -> None:
    async with ScriptedServer(answer_error(403, "Forbidden")).transport() as transport:
        capacity = await CapacityReader(transport).read("ns")
    assert (capacity.quotas, capacity.nodes) == ((), None)
