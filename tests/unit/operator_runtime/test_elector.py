"""One replica leads, and stops before another can, whatever the API server does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from trading_operator.kube import elector as elector_module
from trading_operator.kube.connection import Connection
from trading_operator.kube.elector import Elector, Terms, read_clock
from trading_operator.kube.transport import Transport
from trading_operator.metrics import Metrics
from unit.operator_runtime.scripted_server import ScriptedServer
from unit.operator_runtime.waiting import until

LEASE = 0.9


class LeaseServer:
    """A Lease with the API server's optimistic concurrency, which can be made to fail."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.mode = "up"  # up | refusing | silent
        self.writes = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if self.mode == "silent":
            await asyncio.sleep(60)
        if self.mode == "refusing":
            return web.json_response({"reason": "ServiceUnavailable"}, status=503)
        if request.method == "GET":
            return self._found()
        return self._write(request.method, await request.json())

    def _found(self) -> web.Response:
        if self.lease is None:
            return web.json_response({"reason": "NotFound"}, status=404)
        return web.json_response(self.lease)

    def _write(self, method: str, body: dict[str, Any]) -> web.Response:
        exists = self.lease is not None
        stale = exists and body["metadata"].get("resourceVersion") != str(self.version)
        if (method == "POST") == exists or stale:
            return web.json_response({"reason": "Conflict"}, status=409)
        self.version += 1
        self.writes += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.lease = body
        return web.json_response(body)

    @property
    def holder(self) -> str:
        """Return who holds the Lease."""
        return "" if self.lease is None else str(self.lease["spec"]["holderIdentity"])


class Replica:
    """An elector and what it led."""

    def __init__(self, url: str, name: str) -> None:
        connection = Connection(url, Configuration(host=url), False)
        self.transport = Transport(connection, Metrics(), 4)
        self.elector = Elector(self.transport, Terms("ns", "lease", name, LEASE))
        self.leading = False
        self.terms = 0
        self.task = asyncio.create_task(self.elector.run(self._lead))

    async def _lead(self) -> None:
        self.leading, self.terms = True, self.terms + 1
        try:
            await asyncio.Event().wait()
        finally:
            self.leading = False

    async def stop(self) -> None:
        """End it as a signal does."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.transport.close()


@asynccontextmanager
async def election(*names: str) -> AsyncIterator[tuple[LeaseServer, list[Replica]]]:
    """Run replicas that compete for a Lease."""
    leases = LeaseServer()
    server = ScriptedServer(leases.answer)
    async with server.running():
        replicas = [Replica(server.url, name) for name in names]
        try:
            yield leases, replicas
        finally:
            leases.mode = "up"
            await asyncio.gather(*(replica.stop() for replica in replicas))


async def test_one_of_two_leads_and_goes_on_leading() -> None:
    async with election("a", "b") as (leases, replicas):
        await until(lambda: any(replica.leading for replica in replicas))
        for _ in range(40):
            await asyncio.sleep(LEASE / 20)
            assert sum(replica.leading for replica in replicas) == 1
        assert sum(replica.terms for replica in replicas) == 1
        assert leases.writes > 4


async def test_a_leader_that_is_refused_stops_before_its_lease_ends() -> None:
    async with election("a") as (leases, (replica,)):
        await until(lambda: replica.leading)
        leases.mode = "refusing"
        assert await until(lambda: not replica.leading) < LEASE
        assert not replica.elector.leads()
        leases.mode = "up"
        await until(lambda: replica.leading)
        assert replica.terms == 2


async def test_a_leader_that_gets_no_answer_stops_before_its_lease_ends() -> None:
    async with election("a") as (leases, (replica,)):
        await until(lambda: replica.leading)
        leases.mode = "silent"
        assert await until(lambda: not replica.leading) < LEASE


async def test_a_standby_follows_a_dead_leader_only_after_the_whole_lease() -> None:
    async with election("a") as (leases, (leader,)):
        await until(lambda: leader.leading)
        dead = leases.lease
        assert dead is not None
        await leader.stop()
        leases.lease = {**dead, "metadata": {"resourceVersion": str(leases.version)}}
        dead["spec"]["leaseDurationSeconds"] = 1
        standby = Replica(str(leader.transport._server), "b")
        try:
            waited = await until(lambda: standby.leading)
            assert waited >= 1.0
            assert leases.holder == "b"
            assert leases.lease["spec"]["leaseTransitions"] == 1
        finally:
            await standby.stop()


async def test_a_leader_that_ends_gives_the_lease_back() -> None:
    async with election("a", "b") as (leases, replicas):
        await until(lambda: any(replica.leading for replica in replicas))
        leader, standby = sorted(replicas, key=lambda replica: not replica.leading)
        await leader.stop()
        assert leases.holder != leader.elector._terms.identity
        assert await until(lambda: standby.leading) < LEASE


async def test_a_leader_whose_lease_was_taken_stops_at_once() -> None:
    async with election("a") as (leases, (replica,)):
        await until(lambda: replica.leading)
        assert leases.lease is not None
        leases.version += 1
        spec = {**leases.lease["spec"], "holderIdentity": "thief"}
        leases.lease = {"metadata": {"resourceVersion": str(leases.version)}, "spec": spec}
        assert await until(lambda: not replica.leading) < LEASE
        await asyncio.sleep(0.05)
        assert leases.holder == "thief"


async def test_a_deleted_lease_is_not_free_for_a_standby_that_has_seen_it_held() -> None:
    async with election("a", "b") as (leases, replicas):
        await until(lambda: any(replica.leading for replica in replicas))
        leader, standby = sorted(replicas, key=lambda replica: not replica.leading)
        for _ in range(5):
            await asyncio.sleep(LEASE / 4)
            leases.lease = None
            await until(lambda: leases.holder == leader.elector._terms.identity)
        assert (leader.terms, standby.terms) == (1, 0)


async def test_a_lease_that_stays_deleted_is_taken_after_its_time() -> None:
    async with election("a") as (leases, (replica,)):
        dead = {"holderIdentity": "dead", "leaseDurationSeconds": 1}
        await until(lambda: replica.leading)
        replica.elector._keep({"metadata": {}, "spec": dead})
        leases.lease, leases.version = None, leases.version + 1
        await until(lambda: not replica.leading)
        assert 0.5 < await until(lambda: replica.leading) < 1.5


async def test_a_standby_looks_again_when_the_lease_that_it_saw_runs_out() -> None:
    leases = LeaseServer()
    async with ScriptedServer(leases.answer).transport() as transport:
        elector = Elector(transport, Terms("ns", "lease", "a", 600.0), lambda: 100.0)
        elector._keep({"spec": {"holderIdentity": "b", "leaseDurationSeconds": 7}})
        assert 7.0 < elector._pause() < 7.1
        assert not elector._is_free()


def test_a_machine_that_slept_finds_its_lease_over() -> None:
    assert elector_module._CLOCK == time.CLOCK_BOOTTIME  # the clock that counts sleep, on Linux
    assert abs(read_clock() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


async def test_an_error_of_the_work_is_not_swallowed() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    leases = LeaseServer()
    async with ScriptedServer(leases.answer).transport() as transport:
        elector = Elector(transport, Terms("ns", "lease", "a", LEASE))
        with pytest.raises(ValueError, match="broken"):
            await asyncio.wait_for(elector.run(fail), 5)
        assert leases.holder == ""
