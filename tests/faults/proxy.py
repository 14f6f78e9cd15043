"""A proxy between an operator and the API server that lets others decide about each write."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
from aiohttp import web

from faults.exchange import (
    SILENCE,
    Answer,
    Exchange,
    end_to_end,
    read_replica,
    read_target,
)
from faults.watches import Line, Watch, Watches, is_watch

# None breaks the connection.
Decide = Callable[[Exchange], Awaitable[Answer | None]]
_READS = frozenset({"GET", "HEAD"})
_CHUNK = 2**22


class Proxy:
    """Ends the operator's TLS, and speaks with the API server in its name."""

    def __init__(self, server: str, context: ssl.SSLContext, decide: Decide) -> None:
        self._upstream, self._context, self._decide = server, context, decide
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        self._connections: set[asyncio.BaseTransport] = set()
        self._refusing = False
        self.watches = Watches()
        self.dead: set[str] = set()  # replicas from which nothing is taken any more
        self.port = 0

    @property
    def url(self) -> str:
        """Return where the proxy listens."""
        return f"https://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on a port of its own."""
        connector = aiohttp.TCPConnector(ssl=False, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        # What the operator gives up is given up here as well.
        self._runner = web.ServerRunner(
            web.Server(self._serve, handler_cancellation=True, access_log=None),
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End all connections."""
        self.cut()
        await self.watches.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
        # Connections with TLS end in later rounds of the loop, which may close after this.
        await asyncio.sleep(0.25)

    def cut(self) -> None:
        """Break every connection on which something is under way."""
        for transport in list(self._connections):
            _abort(transport)

    def refuse(self, refusing: bool) -> None:
        """Break every request, those under way as well, or serve them again."""
        self._refusing = refusing
        if refusing:
            self.cut()

    async def forward(self, exchange: Exchange) -> Answer | None:
        """Have the API server answer; None when it does not."""
        assert self._session is not None
        try:
            async with self._session.request(
                exchange.method,
                self._upstream + exchange.path,
                data=exchange.body or None,
                headers=exchange.headers,
                skip_auto_headers=("Accept-Encoding", "Accept", "User-Agent", "Content-Type"),
            ) as answer:
                return Answer(answer.status, end_to_end(answer.headers), await answer.read())
        except (aiohttp.ClientError, OSError):
            return None

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        replica = read_replica(request.headers)
        if transport is None or self._refusing or replica in self.dead:
            return _break(request)
        self._connections.add(transport)
        try:
            return await self._answer(request, replica)
        finally:
            self._connections.discard(transport)

    async def _answer(self, request: web.BaseRequest, replica: str) -> web.StreamResponse:
        exchange = await _read(request, replica)
        if is_watch(request.query):
            return await self._watch(request, exchange)
        if request.method in _READS:
            answer = await self.forward(exchange)
        else:
            # What has begun goes on to its end, also when the operator has died meanwhile.
            answer = await asyncio.shield(asyncio.ensure_future(self._decide(exchange)))
        if answer is SILENCE:
            await asyncio.Event().wait()
        if answer is None:
            return _break(request)
        return web.Response(status=answer.code, headers=answer.headers, body=answer.body)

    async def _watch(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        assert self._session is not None
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with self._session.get(
                self._upstream + exchange.path,
                headers=exchange.headers,
                skip_auto_headers=("Accept-Encoding", "Accept", "User-Agent"),
                read_bufsize=_CHUNK,
            ) as answer:
                headers = end_to_end(answer.headers)
                if answer.status != 200:
                    body = await answer.read()
                    return web.Response(status=answer.status, headers=headers, body=body)
                response = web.StreamResponse(status=200, headers=headers)
                response.enable_chunked_encoding()
                await response.prepare(request)
                watch = Watch(request, response)
                await self.watches.follow(watch, lambda: _read_lines(answer))
                return response
        return _break(request)


async def _read(request: web.BaseRequest, replica: str) -> Exchange:
    body = await request.read()
    return Exchange(
        request.method,
        request.path_qs,
        end_to_end(request.headers),
        body,
        replica,
        read_target(request.method, request.path, body),
    )


async def _read_lines(answer: aiohttp.ClientResponse) -> AsyncIterator[Line]:
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in filter(None, lines):
            yield line


def _break(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        _abort(request.transport)
    return web.Response(status=503)  # nobody hears it


def _abort(transport: asyncio.BaseTransport) -> None:
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
