"""The health and metrics endpoints: /livez, /readyz, /metrics."""

import asyncio
import socket
import time
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

BEAT_SECONDS = 0.5
STALL_SECONDS = 10.0
Problems = Callable[[], list[str]]


class Probes:
    """A small HTTP server on the operator's own event loop: when that stalls, so does this."""

    def __init__(self, registry: CollectorRegistry, problems: Problems) -> None:
        self._registry = registry
        self._problems = problems
        self._beat = time.monotonic()
        self._longest = 0.0
        self._runner: web.AppRunner | None = None
        self._heart: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on a port; 0 takes a free one."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        listener = _listen(port)
        self.port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener).start()
        self._heart = asyncio.create_task(self._pulse())

    async def stop(self) -> None:
        """Stop listening."""
        if self._heart is not None:
            self._heart.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pulse(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            self._longest = time.monotonic() - self._beat

    async def _livez(self, _: web.Request) -> web.Response:
        stall = max(self._longest, time.monotonic() - self._beat)
        if stall > STALL_SECONDS:
            return web.Response(status=503, text=f"the event loop stalled for {stall:.1f} s\n")
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        problems = self._problems()
        if problems:
            return web.Response(status=503, text="\n".join(problems) + "\n")
        return web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        content = generate_latest(self._registry)
        return web.Response(body=content, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _listen(port: int) -> socket.socket:
    # One socket for both families where there are both, so that port 0 means one port.
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
