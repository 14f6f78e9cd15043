"""What becomes of a write: it is carried out, or a fault strikes at it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from faults.exchange import SILENCE, Answer, Exchange, build_refusal
from faults.points import Kind, Point, Stream
from faults.proxy import Proxy

LEASE_SECONDS = 6.0
OUTAGE_SECONDS = 5.0
HELD_SECONDS = (1.0, 3.0)
# After its answer an operator gets as far as it gets in this time.
AFTER_ANSWER_SECONDS = (0.0, 0.05)
_SILENT_SECONDS = 30.0  # the patience of the operator's requests


class Victims(Protocol):
    """Processes that a fault may strike."""

    def kill(self, replica: str) -> None:
        """Kill a replica."""

    def pause(self, replica: str) -> None:
        """Stop a replica until it is woken."""

    async def restart_server(self) -> None:
        """Kill the API server and start it again."""


@dataclass(frozen=True)
class Strike:
    """A fault that struck."""

    what: str
    replica: str
    at: float


@dataclass
class Injector:
    """Strikes once, at the point that it was told; everything else passes."""

    proxy: Proxy
    victims: Victims
    point: Point | None = None
    strike: Strike | None = None
    writers: list[tuple[float, str]] = field(default_factory=list)  # who wrote when
    rng: random.Random = field(default_factory=random.Random)

    def arm(self, point: Point | None, seed: int) -> None:
        """Wait for a point; how long things take there is drawn from the seed."""
        self.point, self.strike = point, None
        self.writers.clear()
        self.rng = random.Random(f"{seed}/{point}")

    async def carry_out(self, exchange: Exchange, index: int) -> Answer | None:
        """Return what the operator is told of its write, None when its connection breaks."""
        if exchange.replica in self.proxy.dead:
            return None
        if exchange.target.stream is not Stream.LEASE:
            self.writers.append((time.monotonic(), exchange.replica))
        if not self._is_struck(exchange, index):
            return await self.proxy.forward(exchange)
        assert self.point is not None
        self.strike = Strike(str(exchange), exchange.replica, time.monotonic())
        return await _EFFECTS[self.point.kind](self, exchange)

    def extra_seconds(self) -> float:
        """Return how long the fault itself lasts, whatever the operator does."""
        lasting = {
            Kind.COMMIT_THEN_SILENCE: _SILENT_SECONDS,
            Kind.OUTAGE: OUTAGE_SECONDS,
            Kind.WATCHES_HELD: HELD_SECONDS[1],
            Kind.LEADER_PAUSED: LEASE_SECONDS,
        }
        return 0.0 if self.point is None else lasting.get(self.point.kind, 0.0)

    def _is_struck(self, exchange: Exchange, index: int) -> bool:
        point = self.point
        if point is None or self.strike is not None:
            return False
        return (exchange.target.stream, index) == (point.stream, point.index)

    async def kill_before(self, exchange: Exchange) -> Answer | None:
        """End the operator before anything is carried out."""
        self.victims.kill(exchange.replica)
        return None

    async def kill_after_commit(self, exchange: Exchange) -> Answer | None:
        """End the operator before it knows that it is done."""
        await self.proxy.forward(exchange)
        self.victims.kill(exchange.replica)
        return None

    async def kill_after_answer(self, exchange: Exchange) -> Answer | None:
        """End the operator when it knows, or a little later."""
        answer = await self.proxy.forward(exchange)
        wait = 0.005 + self.rng.uniform(*AFTER_ANSWER_SECONDS)
        asyncio.get_running_loop().call_later(wait, self.victims.kill, exchange.replica)
        return answer

    async def conflict(self, exchange: Exchange) -> Answer | None:
        """Say that somebody else was there before."""
        reason = "AlreadyExists" if exchange.method == "POST" else "Conflict"
        return build_refusal(409, reason)

    async def too_many_requests(self, exchange: Exchange) -> Answer | None:
        """Ask for patience."""
        return build_refusal(429, "TooManyRequests", **{"Retry-After": "1"})

    async def server_error(self, exchange: Exchange) -> Answer | None:
        """Fail without a reason."""
        return build_refusal(500, "InternalError")

    async def reset(self, exchange: Exchange) -> Answer | None:
        """Break the connection; nothing is carried out."""
        return None

    async def commit_then_timeout(self, exchange: Exchange) -> Answer | None:
        """Carry it out and say that it took too long."""
        await self.proxy.forward(exchange)
        return build_refusal(504, "Timeout")

    async def commit_then_reset(self, exchange: Exchange) -> Answer | None:
        """Carry it out and break the connection."""
        await self.proxy.forward(exchange)
        return None

    async def commit_then_silence(self, exchange: Exchange) -> Answer | None:
        """Carry it out and say nothing at all."""
        await self.proxy.forward(exchange)
        return SILENCE

    async def cut_watches(self, exchange: Exchange) -> Answer | None:
        """Break all watches, so that they miss what the write makes."""
        self.proxy.watches.cut()
        return await self.proxy.forward(exchange)

    async def hold_watches(self, exchange: Exchange) -> Answer | None:
        """Hold all events back for a while."""
        self.proxy.watches.hold(self.rng.uniform(*HELD_SECONDS))
        return await self.proxy.forward(exchange)

    async def replay_watches(self, exchange: Exchange) -> Answer | None:
        """Have every event followed by the one before it, until the scenario ends."""
        self.proxy.watches.go_stale(self.rng.uniform(*HELD_SECONDS))
        return await self.proxy.forward(exchange)

    async def outage(self, exchange: Exchange) -> Answer | None:
        """Carry it out, and answer nothing and nobody for a while."""
        await self.proxy.forward(exchange)
        self.proxy.refuse(True)
        asyncio.get_running_loop().call_later(OUTAGE_SECONDS, self.proxy.refuse, False)
        return None

    async def pause_leader(self, exchange: Exchange) -> Answer | None:
        """Stop the leader; what it asked for is carried out."""
        self.victims.pause(exchange.replica)
        return await self.proxy.forward(exchange)

    async def restart_server(self, exchange: Exchange) -> Answer | None:
        """Carry it out, and have the API server die before it can say so."""
        await self.proxy.forward(exchange)
        self.proxy.cut()
        await self.victims.restart_server()
        return None


Effect = Callable[[Injector, Exchange], Awaitable[Answer | None]]
_EFFECTS: dict[Kind, Effect] = {
    Kind.KILL_BEFORE: Injector.kill_before,
    Kind.KILL_AFTER_COMMIT: Injector.kill_after_commit,
    Kind.KILL_AFTER_ANSWER: Injector.kill_after_answer,
    Kind.CONFLICT: Injector.conflict,
    Kind.TOO_MANY_REQUESTS: Injector.too_many_requests,
    Kind.SERVER_ERROR: Injector.server_error,
    Kind.RESET: Injector.reset,
    Kind.COMMIT_THEN_TIMEOUT: Injector.commit_then_timeout,
    Kind.COMMIT_THEN_RESET: Injector.commit_then_reset,
    Kind.COMMIT_THEN_SILENCE: Injector.commit_then_silence,
    Kind.WATCHES_CUT: Injector.cut_watches,
    Kind.WATCHES_HELD: Injector.hold_watches,
    Kind.WATCHES_STALE: Injector.replay_watches,
    Kind.OUTAGE: Injector.outage,
    Kind.LEADER_PAUSED: Injector.pause_leader,
    Kind.SERVER_RESTARTED: Injector.restart_server,
}
