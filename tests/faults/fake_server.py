"""A server that remembers what it was asked, for tests of the proxy alone."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web

NAMESPACE = "/api/v1/namespaces/here"


def build_event(kind: str, version: int) -> bytes:
    """Build a line of a watch about one object."""
    metadata = {"uid": "u", "name": "one", "resourceVersion": str(version)}
    return orjson.dumps({"type": kind, "object": {"metadata": metadata}})


@dataclass
class FakeServer:
    """Answers every write, and tells watches what the test wants to be told."""

    done: list[str] = field(default_factory=list)
    events: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    port: int = 0

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"https://127.0.0.1:{self.port}"

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        if "watch" in request.query:
            return await self._watch(request)
        body = await request.read()
        self.done.append(f"{request.method} {request.path} {body.decode()}".strip())
        return web.json_response({"kind": "Done"}, status=201)

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(await self.events.get() + b"\n")


@asynccontextmanager
async def running_server(context: ssl.SSLContext) -> AsyncIterator[FakeServer]:
    """Run a server until the end of the block."""
    server = FakeServer()
    runner = web.ServerRunner(
        web.Server(server.serve, handler_cancellation=True), shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
