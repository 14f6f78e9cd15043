"""The parts of an operator process, put together."""

import asyncio

import pytest
from kubernetes.aio.client import Configuration

from trading_operator.controllers import runtime as runtime_module
from trading_operator.controllers.runtime import Runtime
from trading_operator.engines.base import OperandSettings
from trading_operator.kube import transport as transport_module
from trading_operator.kube.cache import Key
from trading_operator.kube.connection import Connection
from trading_operator.metrics import Metrics
from trading_operator.settings import Settings
from unit.operator_runtime.objects import build_body
from unit.operator_runtime.scripted_server import ScriptedServer, answer_error, answer_json
from unit.operator_runtime.waiting import until

ONE, GONE = Key("ns", "one"), Key("ns", "gone")


async def test_the_audit_forgets_what_only_deleted_systems_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime_module, "AUDIT_SECONDS", 0.01)
    async with ScriptedServer(answer_json({"items": [build_body("one")]})).running() as server:
        connection = Connection(server.url, Configuration(host=server.url), False)
        runtime = Runtime(Settings(), OperandSettings("operator", {}), connection, Metrics())
        for name in ("one", "two"):
            runtime.systems.registry.take_event("ADDED", build_body(name))
        runtime.kube.cache.bereft |= {ONE, GONE}
        audit = asyncio.create_task(runtime._audit())
        await until(lambda: set(runtime.systems.registry) == {ONE})
        audit.cancel()
        await asyncio.gather(audit, return_exceptions=True)
        await runtime.stop()
    assert runtime.kube.cache.bereft == {ONE}


async def test_the_audit_reads_a_list_of_none_as_an_api_server_spells_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime_module, "AUDIT_SECONDS", 0.01)
    async with ScriptedServer(answer_json({"items": None})).running() as server:
        connection = Connection(server.url, Configuration(host=server.url), False)
        runtime = Runtime(Settings(), OperandSettings("operator", {}), connection, Metrics())
        runtime.systems.registry.take_event("ADDED", build_body("one"))
        audit = asyncio.create_task(runtime._audit())
        await until(lambda: not set(runtime.systems.registry))
        assert not audit.done()
        audit.cancel()
        await asyncio.gather(audit, return_exceptions=True)
        await runtime.stop()


@pytest.mark.parametrize(
    ("status", "way_out"),
    [(404, "install the CRDs"), (403, "grant the operator"), (503, "must answer first")],
)
async def test_what_the_start_waits_for_is_named(
    status: int,
    way_out: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(runtime_module, "CRD_SECONDS", 0.01)
    monkeypatch.setattr(transport_module, "READ_ATTEMPTS", 1)
    script = ScriptedServer(answer_error(status, "Why"), answer_json({"items": []}))
    async with script.running() as server:
        connection = Connection(server.url, Configuration(host=server.url), False)
        runtime = Runtime(Settings(), OperandSettings("operator", {}), connection, Metrics())
        await runtime._wait_for_crd()
        await runtime.stop()
    (record,) = (each for each in caplog.records if "cannot be read yet" in each.getMessage())
    assert way_out in record.getMessage()
