"""Pods are told of the trading state that their file holds: exactly they, once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.errors import ApiError
from trading_operator.kube.named import NamedReader
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.types import Applied, Manifest, Owner, Plan, StateNotice
from unit.operator_runtime.objects import OWNER_UID, build_config_map, build_pod
from unit.operator_runtime.scripted_server import ScriptedServer

OWNER = Owner("tradingoperator.io/v1alpha1", "TradingSystem", "one", "ns", OWNER_UID, 1)
FILE = Ref("ConfigMap", "one-trading-state")
POD = "/api/v1/namespaces/ns/pods/one-api"


def _file(state: str) -> Manifest:
    return {**build_config_map(FILE.name, 1), "data": {"trading_state": f"{state}\n"}}


def _told(code: int = 200) -> Any:
    async def answer(_: web.Request) -> web.StreamResponse:
        if code != 200:
            return web.json_response({"reason": "Refused", "message": "no"}, status=code)
        return web.json_response(build_pod("one-api", 2))

    return answer


@asynccontextmanager
async def _bench(code: int = 200) -> AsyncIterator[tuple[Kube, ScriptedServer]]:
    server = ScriptedServer(_told(code))
    async with server.transport() as transport:
        kube = Kube(
            transport, Cache(lambda _: None), NamedReader(transport), CapacityReader(transport)
        )
        kube.cache.put(build_pod("one-api", 1))
        yield kube, server


async def _tell(kube: Kube, live: str = "Halted", pod: str = "one-api") -> Applied:
    plan = Plan(trading_state=StateNotice("Halted", FILE, (pod,)))
    return await apply_plan(kube, OWNER, plan, Observed(children={FILE: _file(live)}))


async def test_a_pod_is_annotated_by_its_uid() -> None:
    async with _bench() as (kube, server):
        applied = await _tell(kube)
    assert server.requests == [("PATCH", f"{POD}?fieldManager=trading-operator")]
    annotations = {"tradingoperator.io/trading-state": "Halted"}
    assert server.bodies == [{"metadata": {"uid": "uid-one-api", "annotations": annotations}}]
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"
    assert applied.writes == 1


async def test_nothing_is_told_that_the_file_does_not_say() -> None:
    async with _bench() as (kube, server):
        await _tell(kube, live="Active")
        assert server.requests == []


async def test_a_pod_that_is_not_known_is_not_asked_for() -> None:
    async with _bench() as (kube, server):
        await _tell(kube, pod="another")
        assert server.requests == []


@pytest.mark.parametrize("code", [404, 409])
async def test_a_pod_that_went_meanwhile_is_no_failure(code: int) -> None:
    async with _bench(code) as (kube, _):
        assert (await _tell(kube)).failures == ()


async def test_a_refusal_is_told_and_not_asked_for_at_once_again() -> None:
    async with _bench(403) as (kube, server):
        first, second = await _tell(kube), await _tell(kube)
        assert first.failures[0].ref == Ref("Pod", "one-api")
        assert second.failures == first.failures
        assert len(server.requests) == 1
        assert kube.refusals.due_in(Key("ns", "one")) is not None


async def test_trouble_of_the_server_has_the_pass_repeated() -> None:
    async with _bench(503) as (kube, _):
        with pytest.raises(ApiError):
            await _tell(kube)
