"""An order to trade less reaches the services whatever else is wrong with their system."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from trading_operator.controllers.deletion import end_trading_system
from trading_operator.controllers.registry import Body
from trading_operator.controllers.trading_state import known_status
from trading_operator.controllers.trading_system import reconcile_trading_system
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.errors import ApiError
from trading_operator.kube.finalizer import ORDERED_STOP
from trading_operator.kube.named import NamedReader
from trading_operator.plan.types import InvalidSpecError
from unit.operator_runtime.objects import build_body, build_config_map, build_pod
from unit.operator_runtime.scripted_server import ScriptedServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPERAND = OperandSettings(operator_namespace="trading-operator")
FILE = "configmaps/one-trading-state"
POD = "pods/one-api"
SERVICE = {"name": "api", "image": "api:1"}
CYCLE = [
    {"name": "a", "image": "a:1", "dependsOn": [{"name": "b"}]},
    {"name": "b", "image": "b:1", "dependsOn": [{"name": "a"}]},
]
SECRET = {"name": "K", "secretKeyRef": {"name": "gone", "key": "k"}}


class Server:
    """Takes every write, but no request about what it is told to fail."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.failing: dict[str, int] = {}
        self.ending = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        name = "/".join(path.rsplit("/", 2)[1:])
        body: Any = await request.json() if await request.read() else None
        if code := next((code for part, code in self.failing.items() if part in path), None):
            return web.json_response({"reason": "Failed", "message": "no"}, status=code)
        if request.method == "GET":
            metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if self.ending else {}
            return web.json_response({"kind": "Namespace", "metadata": metadata, "items": []})
        self.log.append((request.method, name))
        self.bodies.append(body)
        return web.json_response(self._object(name, body))

    def _object(self, name: str, body: Any) -> Any:
        version = 100 + len(self.log)
        if name == POD:
            return build_pod("one-api", version)
        if "tradingsystems" in name:
            return build_body("one", version)
        content = body if isinstance(body, dict) else {}
        return {**build_config_map("one-trading-state", version), "data": content.get("data")}


@asynccontextmanager
async def _bench() -> AsyncIterator[tuple[Kube, Server]]:
    server = Server()
    async with ScriptedServer(server.answer).transport() as transport:
        kube = Kube(
            transport, Cache(lambda _: None), NamedReader(transport), CapacityReader(transport)
        )
        active = {**build_config_map("one-trading-state", 1), "data": {"trading_state": "Active\n"}}
        kube.cache.put(active)
        kube.cache.put(build_pod("one-api", 1, phase="Running"))
        yield kube, server


def _body(state: str = "Halted", **spec: Any) -> Body:
    return build_body("one", spec={"services": [SERVICE], "tradingState": state, **spec})


async def _pass(kube: Kube, body: Body) -> None:
    await reconcile_trading_system(kube, OPERAND, body, NOW)


def _assert_halted(kube: Kube, server: Server) -> None:
    assert server.log[:2] == [("PATCH", FILE), ("PATCH", POD)]
    assert server.bodies[0]["data"] == {"trading_state": "Halted\n"}
    status = known_status(kube, build_body("one", status={"tradingState": "Active"}))
    assert status == {"tradingState": "Halted"}


async def test_a_halt_is_handed_out_though_the_spec_makes_no_sense() -> None:
    async with _bench() as (kube, server):
        with pytest.raises(InvalidSpecError):
            await _pass(kube, _body(services=CYCLE))
        _assert_halted(kube, server)
        assert len(server.log) == 2


async def test_a_halt_is_handed_out_though_a_secret_cannot_be_read() -> None:
    async with _bench() as (kube, server):
        server.failing["secrets/"] = 403
        with pytest.raises(ApiError):
            await _pass(kube, _body(env=[SECRET]))
        _assert_halted(kube, server)


async def test_a_halt_is_handed_out_while_a_deleted_system_stops() -> None:
    async with _bench() as (kube, server):
        body = _body(env=[SECRET])
        body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        await end_trading_system(kube, OPERAND, body, NOW)
        _assert_halted(kube, server)


async def test_a_looser_state_waits_until_the_spec_makes_sense() -> None:
    async with _bench() as (kube, server):
        halted = {**build_config_map("one-trading-state", 2), "data": {"trading_state": "Halted"}}
        kube.cache.put(halted)
        for state in ("Active", "ReduceOnly"):
            with pytest.raises(InvalidSpecError):
                await _pass(kube, _body(state, services=CYCLE))
        assert server.log == []


async def test_a_halt_that_did_not_get_through_is_tried_again_soon() -> None:
    async with _bench() as (kube, server):
        server.failing[FILE] = 500
        with pytest.raises(ApiError):
            await _pass(kube, _body(services=CYCLE))


@pytest.mark.parametrize("spec", [{"paused": True}, {"services": CYCLE}, {"services": [{}]}])
async def test_a_held_system_does_not_hold_its_namespace(spec: Any) -> None:
    async with _bench() as (kube, server):
        body = _body("Active", **spec)
        body["metadata"]["finalizers"] = [ORDERED_STOP]
        gone = build_pod("one-api", 2, phase="Running")
        gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        kube.cache.put(gone)
        for server.ending, written in ((False, []), (True, [("PATCH", "tradingsystems/one")])):
            server.log.clear()
            if spec.get("paused"):
                await _pass(kube, body)
            else:
                with pytest.raises(InvalidSpecError):
                    await _pass(kube, body)
            assert server.log == written
