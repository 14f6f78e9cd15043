"""An HTTP server that answers as a test tells it: the misbehaviour of a real API server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from kubernetes.aio.client import Configuration

from trading_operator.kube.connection import Connection
from trading_operator.kube.transport import Transport
from trading_operator.metrics import Metrics

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScriptedServer:
    """Hands each request to the next answer of the script; the last one stays."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.headers: list[Any] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedServer"]:
        """Listen until the end of the block."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @asynccontextmanager
    async def transport(self, requests: int = 8) -> AsyncIterator[Transport]:
        """Open a transport to this server."""
        async with self.running():
            connection = Connection(self.url, Configuration(host=self.url), False)
            transport = Transport(connection, Metrics(), requests)
            try:
                yield transport
            finally:
                await transport.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        self.headers.append(request.headers)
        content = await request.read()
        self.bodies.append(orjson.loads(content) if content else None)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return await answer(request)


def answer_json(body: Any, status: int = 200, **headers: str) -> Answer:
    """Build an answer with a JSON body."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def answer_error(status: int, reason: str, message: str = "no", **headers: str) -> Answer:
    """Build an answer with a Status object."""
    body = {"kind": "Status", "reason": reason, "message": message, "code": status}
    return answer_json(body, status, **headers)


def answer_broken() -> Answer:
    """Build an answer that closes the connection in the middle."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def answer_stream(*events: Any, then: float = 0.0, pieces: int = 0) -> Answer:
    """Build a watch stream of events, silent for `then` seconds at its end.

    With `pieces` the bytes are sent in chunks of that length, as slow networks do.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        content = b"".join(orjson.dumps(event) + b"\n" for event in events)
        size = pieces or max(len(content), 1)
        for start in range(0, len(content), size):
            await response.write(content[start : start + size])
        await asyncio.sleep(then)
        return response

    return answer
