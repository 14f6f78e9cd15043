"""A TCP proxy in front of the API server that can cut and hold back connections."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from urllib.parse import urlparse


class FlakyProxy:
    """Forwards bytes in both directions until told otherwise; runs in a thread of its own."""

    def __init__(self, server: str) -> None:
        target = urlparse(server)
        self._target = (target.hostname or "", target.port or 443)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._accepting = True
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Return where the proxy listens."""
        return f"https://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator["FlakyProxy"]:
        """Listen until the end of the block."""
        self._thread.start()
        self._call(self._listen())
        try:
            yield self
        finally:
            self._call(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            self._loop.close()

    def cut(self) -> None:
        """Close all connections."""
        self._call(self._close_all())

    def refuse(self, refusing: bool) -> None:
        """Close new connections as soon as they are made, or serve them again."""
        self._accepting = not refusing
        self.cut()

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Hold back all bytes and close nothing: a network that swallows everything."""
        self._loop.call_soon_threadsafe(self._passing.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._passing.set)

    def _call(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._passing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._close_all()
        self._passing.set()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest, timeout=5)

    async def _close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepting:
            writer.transport.abort()
            return
        try:
            upstream, upstream_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, upstream_writer}
        await asyncio.gather(
            self._forward(reader, upstream_writer), self._forward(upstream, writer)
        )

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while content := await source.read(65536):
                await self._passing.wait()
                sink.write(content)
                await sink.drain()
        sink.transport.abort()
