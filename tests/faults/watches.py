"""Watches on their way through the proxy: cut, held back, and told again what is past."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import orjson
from aiohttp import web

Line = bytes
_TOLD = (b"ADDED", b"MODIFIED", b"DELETED")


@dataclass(eq=False)
class Watch:
    """One watch of the operator, and what it has told of each object."""

    request: web.BaseRequest
    response: web.StreamResponse
    told: dict[str, Line] = field(default_factory=dict)

    async def tell(self, line: Line) -> None:
        """Pass a line on."""
        await self.response.write(line + b"\n")


class Watches:
    """All watches through one proxy, and the faults that they suffer."""

    def __init__(self) -> None:
        self._open: set[Watch] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._late_seconds = 0.0  # 0: no event comes twice
        self._tasks: set[asyncio.Task[None]] = set()
        self.replayed = 0

    def cut(self) -> None:
        """Break the connection of every watch."""
        for watch in self._open:
            if watch.request.transport is not None:
                watch.request.transport.abort()

    def hold(self, seconds: float) -> None:
        """Hold every event back for some seconds, and then let them go in order."""
        self._passing.clear()
        asyncio.get_running_loop().call_later(seconds, self._passing.set)

    def go_stale(self, seconds: float) -> None:
        """Follow each event from now on by the one before it, and tell the newest one later.

        So does an API server that lags behind another one, and catches up.
        """
        self._late_seconds = seconds

    def heal(self) -> None:
        """Tell events as they come."""
        self._late_seconds = 0.0
        self._passing.set()

    async def close(self) -> None:
        """End what still has to be told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def follow(self, watch: Watch, read: Callable[[], AsyncIterator[Line]]) -> None:
        """Pass on what `read` yields line by line until it ends."""
        self._open.add(watch)
        try:
            async for line in read():
                await self._passing.wait()
                await self._deliver(watch, line)
        finally:
            self._open.discard(watch)

    async def _deliver(self, watch: Watch, line: Line) -> None:
        uid = _uid_of(line)
        before = watch.told.get(uid) if uid else None
        if uid:
            watch.told[uid] = line
        await watch.tell(line)
        if self._late_seconds and before is not None:
            self.replayed += 1
            await watch.tell(before)
            self._catch_up(watch, uid)

    def _catch_up(self, watch: Watch, uid: str) -> None:
        task = asyncio.create_task(self._tell_newest(watch, uid, self._late_seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_newest(self, watch: Watch, uid: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if watch in self._open:
            with contextlib.suppress(OSError):
                await watch.tell(watch.told[uid])


def is_watch(query: Mapping[str, str]) -> bool:
    """Tell whether a request asks for events."""
    return query.get("watch") in ("1", "true")


def _uid_of(line: Line) -> str:
    event = orjson.loads(line)
    if event["type"].encode() not in _TOLD:
        return ""
    return str(event["object"]["metadata"].get("uid", ""))
