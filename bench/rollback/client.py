"""A client that asks a service every 50 ms over a new connection, and writes down each answer.

Run as `python -m bench.rollback.client ADDRESS PORT FILE`, until SIGTERM.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import orjson

from bench.processes import start_process, wait_until
from bench.rollback.arithmetic import Poll
from bench.stage import ROOT

PERIOD_SECONDS = 0.05
PATIENCE_SECONDS = 1.0  # an answer that takes longer is none
START_SECONDS = 10.0
_REQUEST = b"GET / HTTP/1.0\r\nHost: service\r\n\r\n"


async def poll_until_told(address: str, port: int, output: TextIO) -> None:
    """Ask at fixed moments, however long the answers take."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    due = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while not ended.is_set():
            group.create_task(_poll(address, port, output))
            due += PERIOD_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await ended.wait()


async def _poll(address: str, port: int, output: TextIO) -> None:
    asked = time.time()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            version = await _ask(address, port)
    except (OSError, TimeoutError):
        version = ""
    output.write(orjson.dumps((asked, time.time(), version)).decode() + "\n")
    output.flush()


async def _ask(address: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(_REQUEST)
        answer = await reader.read()  # to its end
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return body.decode() if head.startswith(b"HTTP/1.0 200 ") else ""


def read_polls(path: Path) -> list[Poll]:
    """Read what a client wrote down."""
    return [Poll(*orjson.loads(line)) for line in path.read_bytes().splitlines()]


@contextlib.contextmanager
def polling(address: str, port: int, path: Path) -> Iterator[None]:
    """Have a process of its own ask meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    command = [sys.executable, "-m", "bench.rollback.client", address, str(port), str(path)]
    environment = {"PYTHONPATH": f"{ROOT}/operator:{ROOT}"}
    process = start_process(command, environment, path.with_suffix(".log"))
    try:
        wait_until(lambda: path.stat().st_size > 0, START_SECONDS, "an answer", process)
        yield
        process.check()
    finally:
        process.stop()


def main(arguments: list[str]) -> None:
    """Poll until told to end."""
    address, port, path = arguments
    with Path(path).open("a", encoding="utf-8") as output:
        asyncio.run(poll_until_told(address, int(port), output))


if __name__ == "__main__":
    main(sys.argv[1:])
