"""Passes over Backups: what is read, in which order it is written, and what wakes whom."""

import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from prometheus_client import generate_latest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.controllers.backup import reconcile_backup
from trading_operator.controllers.backups import build_backups
from trading_operator.controllers.backups import read_facts as read_backup_facts
from trading_operator.controllers.links import Links
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.report import Report
from trading_operator.controllers.restores import build_restores
from trading_operator.controllers.runtime import Runtime
from trading_operator.controllers.served import Served
from trading_operator.controllers.trading_systems import build_trading_systems
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.connection import Connection
from trading_operator.kube.events import EventPoster
from trading_operator.kube.job_facts import read_job_facts
from trading_operator.kube.named import NamedReader
from trading_operator.kube.pod_facts import read_pod_facts
from trading_operator.metrics import Metrics
from trading_operator.plan.observed import JobPodFacts
from trading_operator.settings import Settings
from unit.operator_runtime.objects import build_body, build_config_map, build_pod
from unit.operator_runtime.scripted_server import ScriptedServer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OPERAND = OperandSettings(backup_image="trading-backup:1")
SYSTEM, BACKUP = Key("ns", "one"), Key("ns", "nightly", "Backup")
LABELS = {
    "app.kubernetes.io/part-of": "one",
    "app.kubernetes.io/instance": "nightly",
    "app.kubernetes.io/managed-by": "trading-operator",
    "tradingoperator.io/owner-kind": "Backup",
}
STORE = {"name": "db", "engine": "PostgreSQL", "storage": {"size": "1Gi"}}


def backup_body(version: int = 1, **spec: Any) -> dict[str, Any]:
    """Build the body of a Backup of system `one`."""
    body = build_body("nightly", version)
    usual = {"system": "one", "destination": {"volume": {"size": "1Gi"}}}
    body["metadata"]["uid"] = "backup-uid"
    return {**body, "kind": "Backup", "spec": usual | spec}


def build_job(name: str = "nightly-full-1", version: int = 1, **status: Any) -> dict[str, Any]:
    """Build a Job of the Backup that its CronJob has made."""
    owner = {"uid": "uid-nightly-full", "kind": "CronJob", "name": "nightly-full"}
    labels = {**LABELS, "tradingoperator.io/run": "Full"}
    job = build_config_map(name, version, labels=labels, ownerReferences=[owner])
    volumes = [{"name": "job", "configMap": {"name": "nightly-job-x"}}]
    spec = {"template": {"spec": {"volumes": volumes}}}
    del job["data"]
    return {**job, "apiVersion": "batch/v1", "kind": "Job", "spec": spec, "status": status}


def build_job_pod(name: str, created: str, job: str, **status: Any) -> dict[str, Any]:
    """Build a pod of a Job."""
    pod = build_pod(name, 1, **status)
    pod["metadata"] |= {
        "creationTimestamp": created,
        "labels": {**LABELS, "tradingoperator.io/role": "job"},
        "ownerReferences": [{"uid": job, "kind": "Job", "name": "j", "controller": True}],
    }
    return pod


def ended(message: str, code: int = 0) -> list[dict[str, Any]]:
    """Return the container statuses of a program that ended."""
    state = {"terminated": {"exitCode": code, "message": message}}
    return [{"name": "main", "ready": False, "restartCount": 0, "state": state}]


class Server:
    """Keeps what is POSTed, and knows one default StorageClass."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.suspended: dict[str, bool | None] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.path.endswith("storageclasses"):
            annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
            item = {"metadata": {"name": "fast", "annotations": annotations}}
            return web.json_response({"items": [item]})
        if request.method == "GET":
            return web.json_response({"reason": "NotFound"}, status=404)
        body = copy.deepcopy(await request.json())
        if isinstance(body, list):  # a JSON patch of managed fields
            return web.json_response({"reason": "Invalid"}, status=422)
        self.suspended[body["metadata"]["name"]] = body.get("spec", {}).get("suspend")
        self.written.append(f"{body['kind']}/{body['metadata']['name']}")
        version = str(100 + len(self.written))
        body["metadata"] |= {"uid": f"uid-{body['metadata']['name']}", "resourceVersion": version}
        return web.json_response(body, status=201)


@dataclass
class World:
    """A Backup's world: its system runs a database."""

    kube: Kube
    server: Server
    neighbours: Neighbours
    systems: Served[Any]
    restores: Served[Any]

    async def reconcile(self, body: Any = None) -> Report:
        """Pass over the Backup."""
        return await reconcile_backup(
            self.kube, OPERAND, self.neighbours, body or backup_body(), NOW
        )


@asynccontextmanager
async def bench() -> AsyncIterator[World]:
    """Build the world."""
    server, neighbours, metrics = Server(), Neighbours(), Metrics()
    async with ScriptedServer(server.answer).transport() as transport:
        cache = Cache(lambda _: None)
        kube = Kube(transport, cache, NamedReader(transport), CapacityReader(transport))
        events = EventPoster(transport, "me", metrics)
        kind = build_trading_systems(kube, OPERAND, neighbours)
        systems: Served[Any] = Served(kind, kube, events, metrics)
        restores = Served(build_restores(kube, OPERAND, neighbours), kube, events, metrics)
        neighbours.introduce(systems)
        neighbours.introduce(restores)
        backups = Served(build_backups(kube, OPERAND, neighbours), kube, events, metrics)
        neighbours.introduce(backups)
        systems.registry.store(build_body("one", spec={"datastores": [STORE]}))
        containers = [{"name": "main", "image": "postgres:17"}]
        workload = build_config_map("one-db", 1)
        spec = {"template": {"spec": {"containers": containers}}}
        cache.put({**workload, "kind": "StatefulSet", "spec": spec})
        yield World(kube, server, neighbours, systems, restores)


def condition(report: Report, kind: str) -> tuple[str, str]:
    (found,) = [each for each in report.status["conditions"] if each["type"] == kind]
    return found["status"], found["reason"]


async def test_claims_come_first_then_what_pods_mount_then_what_makes_pods() -> None:
    async with bench() as world:
        await world.reconcile(backup_body(schedule={"full": "@daily"}))
        kinds = [each.partition("/")[0] for each in world.server.written]
        assert kinds[0] == "PersistentVolumeClaim"
        assert kinds[-1] == "CronJob"
        assert set(kinds[1:-1]) == {"Secret", "ConfigMap", "NetworkPolicy"}


async def test_a_second_pass_writes_nothing() -> None:
    async with bench() as world:
        await world.reconcile()
        assert "Job/nightly-once" in world.server.written
        written = list(world.server.written)
        await world.reconcile()
        assert world.server.written == written


async def test_what_a_pod_says_reaches_the_status_and_a_job_of_nobody_does_not() -> None:
    async with bench() as world:
        body = backup_body(schedule={"full": "@daily"})
        await world.reconcile(body)
        over = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-02T03:00:00Z"}
        world.kube.cache.put(build_job(conditions=[over], completionTime="2026-01-02T03:00:00Z"))
        forged = build_job("forged", 2, conditions=[over])
        forged["metadata"]["ownerReferences"] = []
        world.kube.cache.put(forged)
        said = json.dumps({"outcome": "Succeeded", "set": "20260102T030000Z"})
        for name, job in (("p", "uid-nightly-full-1"), ("q", "uid-forged")):
            world.kube.cache.put(
                build_job_pod(name, "2026-01-02T03:00:00Z", job, containerStatuses=ended(said))
            )
        report = await world.reconcile(body)
        assert [each["job"] for each in report.status["lastSets"]] == ["nightly-full-1"]
        assert condition(report, "Succeeded") == ("True", "BackupSucceeded")


@pytest.mark.parametrize(
    "spec", [{"targets": [{"name": "gone"}]}, {"destination": "nowhere"}], ids=str
)
async def test_a_backup_that_makes_no_sense_rests_while_its_system_is_restored(
    spec: dict[str, Any],
) -> None:
    async with bench() as world:
        await world.reconcile(backup_body(schedule={"full": "@daily"}))
        assert world.server.suspended["nightly-full"] is False
        broken = backup_body(schedule={"full": "@daily"}, **spec)
        with pytest.raises(InvalidSpecError):
            await world.reconcile(broken)
        assert world.server.suspended["nightly-full"] is False
        status = {"phase": "Stopping", "system": "one", "targets": ["db"]}
        restore = build_body("back", spec={"backup": "nightly"}, status=status)
        world.restores.registry.store({**restore, "kind": "Restore"})
        with pytest.raises(InvalidSpecError):
            await world.reconcile(broken)
        assert world.server.suspended["nightly-full"] is True


async def test_a_system_on_its_way_out_is_none() -> None:
    async with bench() as world:
        body = build_body("one", 5, spec={"datastores": [STORE]})
        body["metadata"]["deletionTimestamp"] = "2026-01-02T03:00:00Z"
        world.systems.registry.store(body)
        report = await world.reconcile()
        assert condition(report, "Stalled") == ("True", "SystemNotFound")
        assert world.server.written == []


async def test_a_change_that_waits_for_this_backup_gets_one() -> None:
    async with bench() as world:
        rollout = {
            "phase": "Held",
            "reason": "BackupNotTaken",
            "revision": "abc",
            "since": "2026-01-02T03:00:00Z",
        }
        spec = {"datastores": [STORE], "rollout": {"backupBefore": "nightly"}}
        world.systems.registry.store(build_body("one", 5, spec=spec, status={"rollout": rollout}))
        await world.reconcile(backup_body(schedule={"full": "@daily"}))
        assert [each for each in world.server.written if each.startswith("Job/")]
        other = backup_body(schedule={"full": "@daily"})
        other["metadata"] |= {"name": "weekly", "uid": "other-uid"}
        world.server.written.clear()
        await world.reconcile(other)
        assert not [each for each in world.server.written if each.startswith("Job/")]


def test_the_newest_pod_of_a_job_has_the_last_word() -> None:
    pods = [
        read_pod_facts(build_job_pod(name, created, "uid-nightly-full-1", **status))
        for name, created, status in (
            ("a", "2026-01-02T03:00:00Z", {"containerStatuses": ended("first", 1)}),
            ("b", "2026-01-02T03:05:00Z", {"containerStatuses": ended("second", 1)}),
            ("c", "2026-01-02T03:10:00Z", {"phase": "Pending"}),
        )
    ]
    assert all(isinstance(each, JobPodFacts) for each in pods)
    facts = read_job_facts(build_job(startTime="2026-01-02T03:00:00Z"), pods)
    assert (facts.words, facts.outcome, facts.is_over) == ("second", "Running", False)
    assert facts.config_maps == ("nightly-job-x",)
    assert facts.run == "Full"


def test_why_a_job_waits_is_what_its_pod_says() -> None:
    scheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes",
    }
    pod = build_job_pod("a", "x", "uid-nightly-full-1", phase="Pending", conditions=[scheduled])
    facts = read_job_facts(build_job(), [read_pod_facts(pod)])
    assert facts.waits == "Unschedulable: 0/3 nodes"


def test_a_pod_of_a_component_costs_no_more_than_before() -> None:
    assert type(read_pod_facts(build_pod("p", 1))).__name__ == "PodFacts"


def test_a_failed_job_says_why() -> None:
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "PodFailurePolicy",
        "message": "exit 42",
        "lastTransitionTime": "2026-01-02T03:30:00Z",
    }
    facts = read_job_facts(build_job(conditions=[failed]), [])
    assert (facts.outcome, facts.reason, facts.ended_at) == (
        "Failed",
        "PodFailurePolicy",
        "2026-01-02T03:30:00Z",
    )


def test_links_follow_what_is_said_last() -> None:
    links, other = Links(), Key("ns", "two")
    links.set(BACKUP, SYSTEM)
    assert links.sources(SYSTEM) == {BACKUP}
    links.set(BACKUP, other)
    assert not links.sources(SYSTEM)
    assert links.sources(other) == {BACKUP}
    links.set(BACKUP, None)
    assert not links.sources(other)
    assert links.target(BACKUP) is None


def build_runtime() -> Runtime:
    """Build an operator that talks to nobody."""
    url = "http://127.0.0.1:9"
    connection = Connection(url, Configuration(host=url), False)
    return Runtime(Settings(), OPERAND, connection, Metrics())


async def test_a_system_wakes_its_backups_and_is_woken_by_the_one_that_it_waits_for() -> None:
    runtime = build_runtime()
    waiting = build_body("one", spec={"rollout": {"backupBefore": "nightly"}})
    runtime.systems.registry.store(waiting)
    runtime.backups.registry.store(backup_body())
    assert runtime.systems.queue.depth == 1
    assert runtime.backups.queue.depth == 0
    runtime.systems.registry.store(build_body("one", 2))
    assert runtime.backups.queue.depth == 1
    # It waits for no Backup any more.
    runtime.systems.queue.forget(SYSTEM)
    runtime.backups.registry.store(backup_body(version=2))
    assert runtime.systems.queue.depth == 0
    await runtime.stop()


async def test_what_happens_to_a_backups_children_wakes_it_and_never_urgently() -> None:
    runtime = build_runtime()
    runtime.backups.registry.store(backup_body())
    pod = build_job_pod("p", "x", "uid-j", containerStatuses=ended("no", 1))
    runtime.kube.cache.put(pod)
    key = await runtime.backups.queue.take()
    assert key == BACKUP
    assert not runtime.backups.queue.is_urgent(key)
    assert runtime.systems.queue.depth == 0
    await runtime.stop()


async def test_the_leader_alone_tells_of_backups_in_figures() -> None:
    runtime = build_runtime()
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "lastSuccess": "2026-01-02T03:00:00Z",
        "missedRuns": 2,
        "lastMissedRun": "2026-01-02T04:00:00Z",
    }
    runtime.backups.registry.store({**backup_body(), "status": status})
    assert b"backup_missed_runs{" not in generate_latest(runtime.metrics.registry)
    runtime.elector.leads = lambda: True  # type: ignore[method-assign]
    runtime._bind_backup_gauges()
    text = generate_latest(runtime.metrics.registry).decode()
    await runtime.stop()
    assert 'trading_operator_backup_missed_runs{name="nightly",namespace="ns"} 2.0' in text
    assert "trading_operator_backup_last_success_timestamp_seconds{" in text
    missed = 'backup_last_missed_run_timestamp_seconds{name="nightly",namespace="ns"} 1.7673264e+09'
    assert missed in text
    assert "trading_operator_backup_rto_seconds{" not in text
    assert "trading_operator_backups 1.0" in text
    assert 'type="ObjectivesMet"' not in text


@pytest.mark.parametrize(
    ("kind", "ended", "first"),
    [("Full", False, True), ("Full", True, False), ("Drill", False, False), (None, False, False)],
)
def test_the_first_backup_of_all_is_known_while_it_runs(
    kind: str | None, ended: bool, first: bool
) -> None:
    status = {
        "running": [{"kind": kind, "job": "j", "outcome": "Running"}] if kind else [],
        "lastRun": {"kind": "Full", "job": "k", "outcome": "Failed"} if ended else None,
    }
    assert read_backup_facts({**backup_body(), "status": status}).is_first_run is first


def test_a_forged_status_is_no_reason_to_fail() -> None:
    facts = read_backup_facts({**backup_body(), "status": {"lastSets": "x", "missedRuns": -1}})
    assert (facts.system, facts.missed_runs) == ("one", 0)
