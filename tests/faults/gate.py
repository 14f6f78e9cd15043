"""Lets an operator's writes through one after another, in an order that every run repeats."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from faults.exchange import Answer, Exchange
from faults.points import Stream

# What the operator sends at the same time arrives within this.
BATCH_SECONDS = 0.025
CarryOut = Callable[[Exchange, int], Awaitable[Answer | None]]


@dataclass
class Waiting:
    """A write that waits for its turn."""

    exchange: Exchange
    answer: asyncio.Future[Answer | None]


@dataclass
class Gate:
    """Counts the writes of each stream, and hands each with its place to `carry_out`.

    Writes that come at the same time come in the order of their names, and none begins before the
    one before it has ended: so the n-th one is the same in every run, and what was carried out
    when it comes are exactly those before it.
    """

    carry_out: CarryOut
    counts: Counter[Stream] = field(default_factory=Counter)
    last_write: float = 0.0
    sequence: list[str] = field(default_factory=list)  # method and object of each write
    _waiting: list[Waiting] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """Count from the beginning."""
        self.counts.clear()
        self.sequence.clear()
        self.last_write = time.monotonic()

    def quiet_for(self) -> float:
        """Return for how many seconds nothing was written but Events and Leases."""
        return 0.0 if self._waiting else time.monotonic() - self.last_write

    async def take(self, exchange: Exchange) -> Answer | None:
        """Let a write through when its turn comes, and return its answer."""
        if exchange.target.stream is not Stream.WRITE:
            return await self._pass(exchange)
        waiting = Waiting(exchange, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.answer

    async def run(self) -> None:
        """Let writes through for ever."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(BATCH_SECONDS)
            batch, self._waiting = self._waiting, []
            self._arrived.clear()
            for each in sorted(batch, key=_place):
                answer = await self._pass(each.exchange)
                with contextlib.suppress(asyncio.InvalidStateError):
                    each.answer.set_result(answer)

    async def _pass(self, exchange: Exchange) -> Answer | None:
        stream = exchange.target.stream
        index = self.counts[stream]
        self.counts[stream] += 1
        if stream is Stream.WRITE:
            self.sequence.append(str(exchange))
        try:
            return await self.carry_out(exchange, index)
        finally:
            if stream is Stream.WRITE:
                self.last_write = time.monotonic()


def _place(waiting: Waiting) -> tuple[str, str]:
    return str(waiting.exchange.target), waiting.exchange.method
