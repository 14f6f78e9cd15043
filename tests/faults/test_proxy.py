"""The proxy, the gate and the faults by themselves, before a server that only remembers."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest

from faults.exchange import Answer, Exchange, Target
from faults.fake_server import NAMESPACE, FakeServer, build_event, running_server
from faults.gate import Gate
from faults.injection import Injector
from faults.points import Kind, Point, Scenario, Stream
from faults.proxy import Proxy

AGENT = "trading-operator/1 (replica-0)"


@dataclass
class Victims:
    """Notes what befell whom."""

    befell: list[str] = field(default_factory=list)

    def kill(self, replica: str) -> None:
        self.befell.append(f"kill {replica}")

    def pause(self, replica: str) -> None:
        self.befell.append(f"pause {replica}")

    async def restart_server(self) -> None:
        self.befell.append("restart")


@dataclass
class Rig:
    """An operator's end of a proxy before a fake server."""

    server: FakeServer
    proxy: Proxy
    injector: Injector
    victims: Victims
    session: aiohttp.ClientSession

    async def send(self, method: str, path: str, name: str = "") -> int | str:
        """Send a write and return the status, or what broke."""
        body = orjson.dumps({"metadata": {"name": name}}) if name else None
        timeout = aiohttp.ClientTimeout(total=1)
        try:
            async with self.session.request(
                method, self.proxy.url + path, data=body, timeout=timeout
            ) as answer:
                await answer.read()
                return answer.status
        except TimeoutError:
            return "timeout"
        except aiohttp.ClientError:
            return "broken"

    def strike(self, kind: Kind, index: int = 0) -> None:
        """Arm the fault."""
        self.injector.arm(Point(Scenario.CREATE, Stream.WRITE, index, kind), seed=1)


@pytest.fixture
async def rig(server_context: ssl.SSLContext) -> AsyncIterator[Rig]:
    """A proxy with its gate and faults."""
    async with running_server(server_context) as server:
        victims = Victims()

        async def carry_out(exchange: Exchange, index: int) -> Answer | None:
            return await injector.carry_out(exchange, index)

        gate = Gate(carry_out)
        proxy = Proxy(server.url, server_context, gate.take)
        injector = Injector(proxy, victims)
        await proxy.start()
        running = asyncio.create_task(gate.run())
        connector = aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(
            connector=connector, headers={"User-Agent": AGENT}
        ) as session:
            yield Rig(server, proxy, injector, victims, session)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await proxy.stop()


@pytest.mark.parametrize(
    ("kind", "told", "carried_out", "befell"),
    [
        (Kind.KILL_BEFORE, "broken", 0, ["kill replica-0"]),
        (Kind.KILL_AFTER_COMMIT, "broken", 1, ["kill replica-0"]),
        (Kind.KILL_AFTER_ANSWER, 201, 1, ["kill replica-0"]),
        (Kind.CONFLICT, 409, 0, []),
        (Kind.TOO_MANY_REQUESTS, 429, 0, []),
        (Kind.SERVER_ERROR, 500, 0, []),
        (Kind.RESET, "broken", 0, []),
        (Kind.COMMIT_THEN_TIMEOUT, 504, 1, []),
        (Kind.COMMIT_THEN_RESET, "broken", 1, []),
        (Kind.COMMIT_THEN_SILENCE, "timeout", 1, []),
        (Kind.WATCHES_CUT, 201, 1, []),
        (Kind.WATCHES_HELD, 201, 1, []),
        (Kind.WATCHES_STALE, 201, 1, []),
        (Kind.OUTAGE, "broken", 1, []),
        (Kind.LEADER_PAUSED, 201, 1, ["pause replica-0"]),
        (Kind.SERVER_RESTARTED, "broken", 1, ["restart"]),
    ],
)
async def test_a_fault_is_what_its_name_says(
    rig: Rig, kind: Kind, told: int | str, carried_out: int, befell: list[str]
) -> None:
    rig.strike(kind)
    assert await rig.send("POST", f"{NAMESPACE}/services", "one") == told
    await asyncio.sleep(0.1)
    assert len(rig.server.done) == carried_out
    assert rig.victims.befell == befell
    assert rig.injector.strike is not None
    assert rig.injector.strike.what == "POST services/one"


async def test_only_the_write_that_is_meant_is_struck(rig: Rig) -> None:
    rig.strike(Kind.SERVER_ERROR, index=1)
    codes = [await rig.send("POST", f"{NAMESPACE}/services", name) for name in "abc"]
    assert codes == [201, 500, 201]


async def test_reads_leases_and_events_are_not_counted_as_writes(rig: Rig) -> None:
    rig.strike(Kind.SERVER_ERROR)
    assert await rig.send("GET", f"{NAMESPACE}/services") == 201
    assert await rig.send("PUT", f"{NAMESPACE}/leases/one") == 201
    assert await rig.send("POST", f"{NAMESPACE}/events", "one") == 201
    assert await rig.send("PATCH", f"{NAMESPACE}/pods/one/status") == 500


async def test_writes_of_one_moment_are_carried_out_in_the_order_of_their_names(rig: Rig) -> None:
    names = ["d", "a", "c", "b"]
    await asyncio.gather(*(rig.send("POST", f"{NAMESPACE}/services", name) for name in names))
    assert [line[-4:-3] for line in rig.server.done] == ["a", "b", "c", "d"]


async def test_nothing_that_the_dead_sent_is_carried_out(rig: Rig) -> None:
    rig.proxy.dead.add("replica-0")
    assert await rig.send("POST", f"{NAMESPACE}/services", "one") == "broken"
    assert rig.server.done == []


async def test_a_write_that_its_sender_gave_up_is_carried_out_to_its_end(rig: Rig) -> None:
    writing = asyncio.create_task(rig.send("POST", f"{NAMESPACE}/services", "one"))
    await asyncio.sleep(0.02)  # it waits for its turn
    writing.cancel()
    await asyncio.sleep(0.2)
    assert len(rig.server.done) == 1


async def _open(rig: Rig) -> aiohttp.ClientResponse:
    return await rig.session.get(f"{rig.proxy.url}{NAMESPACE}/pods?watch=1")


async def _hear(watch: aiohttp.ClientResponse, count: int) -> list[tuple[str, str]]:
    async with asyncio.timeout(5):
        events = [orjson.loads(await watch.content.readline()) for _ in range(count)]
    return [(each["type"], each["object"]["metadata"]["resourceVersion"]) for each in events]


async def test_a_stale_watch_tells_what_is_past_and_then_the_newest_again(rig: Rig) -> None:
    watch = await _open(rig)
    rig.server.events.put_nowait(build_event("ADDED", 1))
    assert await _hear(watch, 1) == [("ADDED", "1")]
    rig.proxy.watches.go_stale(0.05)
    rig.server.events.put_nowait(build_event("DELETED", 2))
    assert await _hear(watch, 3) == [("DELETED", "2"), ("ADDED", "1"), ("DELETED", "2")]
    assert rig.proxy.watches.replayed == 1
    watch.close()


async def test_a_held_watch_tells_everything_in_order_later(rig: Rig) -> None:
    watch = await _open(rig)
    rig.proxy.watches.hold(0.3)
    for version in (1, 2):
        rig.server.events.put_nowait(build_event("MODIFIED", version))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch.content.readline(), 0.1)
    assert await _hear(watch, 2) == [("MODIFIED", "1"), ("MODIFIED", "2")]
    watch.close()


async def test_a_cut_breaks_the_watches_and_nothing_else(rig: Rig) -> None:
    watch = await _open(rig)
    rig.proxy.watches.cut()
    with pytest.raises(aiohttp.ClientError):
        await _hear(watch, 1)
    watch.close()
    assert await rig.send("POST", f"{NAMESPACE}/services", "one") == 201


def test_a_target_is_read_from_the_path() -> None:
    assert str(Target("pods", "a", "status")) == "pods/a/status"
