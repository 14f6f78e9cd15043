"""Settings, probes, status writes, and what kopf is told to leave alone."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp
import kopf
import pytest

from trading_operator import probes as probes_module
from trading_operator.api.datastore import EngineName
from trading_operator.controllers.failed_pass import failed_status
from trading_operator.controllers.parse import parse_owner, parse_spec
from trading_operator.kopf_frame import build_kopf_settings
from trading_operator.kube.status import write_status
from trading_operator.main import build_operand_settings
from trading_operator.metrics import Metrics
from trading_operator.plan.types import InvalidSpecError
from trading_operator.probes import Probes
from trading_operator.settings import Settings
from unit.operator_runtime.objects import build_body
from unit.operator_runtime.scripted_server import ScriptedServer, answer_json

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_OPERATOR_WATCH_NAMESPACES", "a, b,")
    monkeypatch.setenv("TRADING_OPERATOR_IMAGE_REDIS", "mirror/redis:8")
    settings = Settings()
    assert settings.watch_namespaces == ("a", "b")
    assert settings.lease_namespace == "default"
    assert build_operand_settings(settings).images == {EngineName.REDIS: "mirror/redis:8"}


def test_kopf_writes_nothing_into_objects_and_watches_our_kind_alone() -> None:
    settings = build_kopf_settings()
    patch = kopf.Patch()
    raw: Any = build_body()
    body = kopf.Body(raw)
    settings.persistence.diffbase_storage.store(body=body, patch=patch, essence={})
    assert settings.persistence.diffbase_storage.fetch(body=body) is None
    assert not patch
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone


def test_a_spec_that_does_not_parse_names_its_field() -> None:
    body = build_body()
    body["spec"] = {"services": [{"name": "api", "image": "x:1", "replicas": -1}]}
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec(body)
    assert caught.value.path == "spec.services[0].replicas"
    assert parse_owner(body).generation == 1


def test_a_broken_pass_keeps_the_status_and_the_time_it_began() -> None:
    ready = {"type": "Ready", "status": "True"}
    first = failed_status({"conditions": [ready], "revision": "r"}, 2, ("X", "m"), NOW)
    assert first["revision"] == "r"
    assert ready in first["conditions"]
    later = failed_status(first, 3, ("X", "m"), NOW.replace(year=2027))
    (stalled,) = (each for each in later["conditions"] if each["type"] == "Stalled")
    assert stalled["lastTransitionTime"] == "2026-01-02T03:04:05Z"
    assert stalled["observedGeneration"] == 3


async def test_a_status_write_holds_for_one_version_and_removes_what_left() -> None:
    server = ScriptedServer(answer_json(build_body(version=9)))
    body = build_body(version=8, status={"old": 1, "kept": 1})
    async with server.transport() as transport:
        assert await write_status(transport, body, {"old": 1, "kept": 1}) is None
        await write_status(transport, body, {"kept": 2})
    (written,) = server.bodies
    assert written["metadata"] == {"resourceVersion": "8"}
    assert written["status"] == {"old": None, "kept": 2}
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"


async def test_probes_tell_of_stalls_and_of_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    problems: list[str] = []
    monkeypatch.setattr(probes_module, "BEAT_SECONDS", 0.01)
    probes = Probes(Metrics().registry, lambda: problems)
    await probes.start(0)
    url = f"http://127.0.0.1:{probes.port}"
    async with aiohttp.ClientSession() as session:

        async def ask(path: str) -> tuple[int, str]:
            async with session.get(f"{url}/{path}") as answer:
                return answer.status, await answer.text()

        assert await ask("livez") == (200, "ok\n")
        assert await ask("readyz") == (200, "ok\n")
        problems.append("watch of pods has stalled")
        assert await ask("readyz") == (503, "watch of pods has stalled\n")
        assert "trading_operator_leader" in (await ask("metrics"))[1]

        monkeypatch.setattr(probes_module, "STALL_SECONDS", 0.05)
        time.sleep(0.2)  # noqa: ASYNC251 - the stall that is to be told of
        assert (await ask("livez"))[0] == 503
        await asyncio.sleep(0.1)
        assert (await ask("livez"))[0] == 200
    await probes.stop()
