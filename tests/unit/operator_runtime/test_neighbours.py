"""Who hears of whom: systems, their Backups, and the Restores that stop and start them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.runtime import Runtime
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.cache import Key
from trading_operator.kube.connection import Connection
from trading_operator.metrics import Metrics
from trading_operator.plan.backup.requests import end_request, restore_request
from trading_operator.plan.observed import RestoreFacts
from trading_operator.settings import Settings
from unit.operator_runtime.objects import build_body
from unit.operator_runtime.scripted_server import ScriptedServer

SYSTEM, BACKUP = Key("ns", "one"), Key("ns", "nightly", "Backup")


def backup_body(name: str = "nightly", **status: Any) -> dict[str, Any]:
    """Build a Backup of system `one`."""
    spec = {"system": "one", "destination": {"volume": {"size": "1Gi"}}}
    return {**build_body(name, spec=spec, status=status), "kind": "Backup"}


def restore_body(
    name: str = "back", phase: str = "Stopping", version: int = 1, **status: Any
) -> dict[str, Any]:
    """Build a Restore of Backup `nightly` that is at a phase."""
    told = {"phase": phase, "system": "one", "targets": ["db"], **status}
    body = build_body(name, version, spec={"backup": "nightly"}, status=told)
    body["metadata"]["uid"] = f"uid-{name}"
    return {**body, "kind": "Restore"}


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """Build an operator that talks to nobody, with a system and its Backup."""
    url = "http://127.0.0.1:9"
    connection = Connection(url, Configuration(host=url), False)
    made = Runtime(Settings(), OperandSettings(), connection, Metrics())
    made.systems.registry.store(build_body("one"))
    made.backups.registry.store(backup_body())
    _calm(made)
    yield made
    await made.stop()


def _calm(runtime: Runtime) -> None:
    for served in runtime.served.values():
        for key in served.registry:
            served.queue.forget(key)


def _woken(runtime: Runtime) -> set[str]:
    return {kind for kind, served in runtime.served.items() if served.queue.depth}


def _found(runtime: Runtime) -> RestoreFacts | None:
    neighbours: Neighbours = runtime.neighbours
    return neighbours.find_restore(SYSTEM)


@pytest.mark.parametrize("phase", ["Stopping", "Saving", "Restoring"])
def test_a_restore_holds_its_system_from_the_stop_to_the_end(runtime: Runtime, phase: str) -> None:
    runtime.restores.registry.store(restore_body(phase=phase))
    assert _found(runtime) == RestoreFacts("back", frozenset({"db"}), "uid-back")
    runtime.restores.registry.store(restore_body(phase="Succeeded", version=2))
    assert _found(runtime) is None


def test_one_that_waits_or_failed_before_its_job_holds_nobody(runtime: Runtime) -> None:
    runtime.restores.registry.store(restore_body("a", "Pending"))
    runtime.restores.registry.store(restore_body("b", "Failed"))
    assert _found(runtime) is None


def test_one_that_failed_half_way_holds_its_system_until_it_is_deleted(runtime: Runtime) -> None:
    runtime.restores.registry.store(restore_body(phase="Failed", job="back-restore"))
    assert _found(runtime) is not None
    _calm(runtime)
    runtime.restores.registry.remove(Key("ns", "back", "Restore"), "uid-back")
    assert _found(runtime) is None
    assert _woken(runtime) >= {"TradingSystem", "Backup"}


def test_another_try_names_itself_and_holds_what_both_have_touched(runtime: Runtime) -> None:
    runtime.restores.registry.store(restore_body("a", "Failed", job="a-restore"))
    runtime.restores.registry.store(restore_body("b", targets=["models"]))
    assert _found(runtime) == RestoreFacts("b", frozenset({"db", "models"}), "uid-b")


def test_each_step_of_a_restore_wakes_its_system_and_all_backups_of_it(runtime: Runtime) -> None:
    weekly = backup_body("weekly")
    weekly["metadata"]["uid"] = "uid-weekly"
    runtime.backups.registry.store(weekly)
    _calm(runtime)
    runtime.restores.registry.store(restore_body())
    assert _woken(runtime) >= {"TradingSystem", "Backup"}
    assert runtime.backups.queue.depth == 2


def test_a_system_and_a_backup_wake_the_restores_that_wait_for_them(runtime: Runtime) -> None:
    runtime.restores.registry.store(restore_body())
    _calm(runtime)
    runtime.systems.registry.store(build_body("one", 2))
    assert "Restore" in _woken(runtime)
    _calm(runtime)
    body = backup_body()
    body["metadata"]["resourceVersion"] = "2"
    runtime.backups.registry.store(body)
    assert "Restore" in _woken(runtime)


def test_of_two_restores_one_goes_first_and_what_has_begun_before_all(runtime: Runtime) -> None:
    a, b = Key("ns", "a", "Restore"), Key("ns", "b", "Restore")
    store, rival = runtime.restores.registry.store, runtime.neighbours.find_rival
    store(restore_body("a"))
    store(restore_body("b"))
    assert (rival(a, SYSTEM), rival(b, SYSTEM)) == ("", "a")
    store(restore_body("b", "Restoring", 2))
    assert (rival(a, SYSTEM), rival(b, SYSTEM)) == ("b", "a")
    store(restore_body("b", "Succeeded", 3))
    assert rival(a, SYSTEM) == ""


def test_a_backup_is_asked_only_once_what_uses_the_data_has_stopped(runtime: Runtime) -> None:
    runtime.restores.registry.store(restore_body())
    assert runtime.neighbours.asked_of(BACKUP) == ()
    since = "2026-01-02T03:04:05Z"
    saving = restore_body(phase="Saving", version=2, heldSince=since)
    runtime.restores.registry.store(saving)
    assert runtime.neighbours.asked_of(BACKUP) == (restore_request("uid-back", since),)


def test_the_other_backups_of_a_system_are_known(runtime: Runtime) -> None:
    runtime.backups.registry.store(backup_body("weekly"))
    (other,) = runtime.neighbours.find_backups(SYSTEM, BACKUP)
    assert other["metadata"]["name"] == "weekly"
    assert runtime.neighbours.find_backups(Key("ns", "two"), BACKUP) == ()


async def test_restores_are_known_before_the_first_pass_over_a_system(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {"": ("a", "more"), "more": ("b", "")}

    async def answer(request: web.Request) -> web.StreamResponse:
        name, more = pages[request.query.get("continue", "")]
        body = restore_body(name)
        del body["kind"], body["apiVersion"]
        return web.json_response({"items": [body], "metadata": {"continue": more}})

    async with ScriptedServer(answer).transport() as transport:
        monkeypatch.setattr(runtime, "transport", transport)
        await runtime._catch_up(runtime.restores)
    assert {key.name for key in runtime.restores.registry} == {"a", "b"}
    assert _found(runtime) is not None


async def test_a_kind_that_is_not_served_holds_up_no_system(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"reason": "Forbidden"}, status=403)

    async with ScriptedServer(refuse).transport() as transport:
        monkeypatch.setattr(runtime, "transport", transport)
        await runtime._catch_up(runtime.restores)
    assert len(runtime.restores.registry) == 0


def test_a_deleted_system_asks_its_backup_once_nothing_else_is_awaited(runtime: Runtime) -> None:
    body = build_body("one", 2, spec={"deletion": {"volumes": "Snapshot", "backup": "nightly"}})
    body["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    runtime.systems.registry.store(body)
    assert runtime.neighbours.asked_of(BACKUP) == ()
    told = {"type": "Reconciling", "status": "True", "reason": "WaitingForLastBackup"}
    _calm(runtime)
    waiting = {**body, "status": {"conditions": [told]}}
    waiting["metadata"] = {**body["metadata"], "resourceVersion": "3"}
    runtime.systems.registry.store(waiting)
    assert runtime.neighbours.asked_of(BACKUP) == (end_request(body["metadata"]["uid"]),)
    assert "Backup" in _woken(runtime)
    _calm(runtime)
    told_again = backup_body(lastSuccess="2026-01-02T03:05:00Z")
    told_again["metadata"]["resourceVersion"] = "2"
    runtime.backups.registry.store(told_again)
    assert "TradingSystem" in _woken(runtime)
    assert runtime.neighbours.asked_of(Key("ns", "weekly", "Backup")) == ()
