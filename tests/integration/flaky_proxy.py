"""A proxy in front of the API server that can cut, hold back, swallow and refuse."""

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\ndown\n"
)


def build_server_context(folder: Path) -> ssl.SSLContext:
    """Make a certificate that nobody trusts, for a proxy that speaks instead of the server."""
    certificate, key = folder / "proxy.crt", folder / "proxy.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=proxy", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class FlakyProxy:
    """Forwards bytes in both directions until told otherwise; runs in a thread of its own.

    With a TLS context it ends the client's TLS itself, and can then answer in the server's place.
    """

    def __init__(self, server: str, context: ssl.SSLContext | None = None) -> None:
        target = urlparse(server)
        self._target = (target.hostname or "", target.port or 443)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._context = context
        self._accepting = True
        self._swallowing = False
        self._unavailable = False
        # What the server is made to read instead of what the client sent, of the same length.
        self.rewritten: dict[bytes, bytes] = {}
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

    @contextmanager
    def refusal(self) -> Iterator[None]:
        """Cut all connections and refuse new ones."""
        self.refuse(True)
        try:
            yield
        finally:
            self.refuse(False)

    @contextmanager
    def swallowing(self) -> Iterator[None]:
        """Lose all bytes: a network that is cut. No connection outlives it."""
        self._swallowing = True
        try:
            yield
        finally:
            self.cut()
            self._swallowing = False

    @contextmanager
    def unavailable(self) -> Iterator[None]:
        """Answer every request with 503, and end the watches."""
        assert self._context is not None, "only a proxy that ends the TLS can answer"
        self._unavailable = True
        self.cut()
        try:
            yield
        finally:
            self._unavailable = False

    def _call(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._passing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._close_all()
        self._swallowing = False
        self._passing.set()
        await asyncio.sleep(0.05)  # connections whose end is on its way
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the next round

    async def _close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection; it is closed at the end, also of a task that never began."""
        task = self._loop.create_task(self._serve(reader, writer))
        task.add_done_callback(lambda _: writer.transport.abort())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepting:
            return
        if self._unavailable:
            await self._answer_unavailable(reader, writer)
            return
        try:
            upstream, upstream_writer = await asyncio.open_connection(
                *self._target, ssl=self._build_upstream_context()
            )
        except OSError:
            return
        pair = {writer, upstream_writer}
        self._writers |= pair
        try:
            # At the end of the proxy: asyncio's servers report a cancelled task as an error.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(
                    self._forward(reader, upstream_writer), self._forward(upstream, writer)
                )
        finally:
            for each in pair:
                each.transport.abort()
            self._writers -= pair

    def _build_upstream_context(self) -> ssl.SSLContext | None:
        return ssl._create_unverified_context() if self._context is not None else None

    async def _answer_unavailable(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            if await reader.read(65536):
                writer.write(_UNAVAILABLE)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while content := await source.read(65536):
                await self._passing.wait()
                if self._swallowing:
                    continue
                for said, heard in self.rewritten.items():
                    content = content.replace(said, heard)
                sink.write(content)
                await sink.drain()
        sink.transport.abort()
