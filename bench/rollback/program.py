"""The program that is measured: it answers with its version, and fails in the ways it is told."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

PORT = 8080
SETTINGS = Path("/app/config/settings.json")
HANGS_AFTER = 8.0  # seconds: by then all pods of the change serve
STALE = 1.0  # seconds without a sign of the worker
DRAIN = 2.0  # seconds in which a pod that ends still gets connections
beat = time.monotonic()


def work(fails: str) -> None:
    """Give a sign every moment; a program that is to hang waits for its own lock in the end."""
    global beat
    started, lock = time.monotonic(), threading.Lock()
    while True:
        with lock:
            beat = time.monotonic()
            if fails == "later" and beat - started > HANGS_AFTER:
                lock.acquire()
        time.sleep(0.1)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request and close the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    path = head.split()[1].decode()
    alive = time.monotonic() - beat < STALE
    code = {"/": 200, "/alive": 200 if alive else 503}.get(path, 404)
    body = os.environ["VERSION"]
    writer.write(f"HTTP/1.0 {code} .\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


async def serve() -> None:
    """Serve until told to end, and a little longer."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: loop.call_later(DRAIN, ended.set))
    async with await asyncio.start_server(answer, "0.0.0.0", PORT):
        await ended.wait()


def main() -> None:
    """Load, then serve."""
    fails = os.environ.get("FAILS", "")
    settings = json.loads(SETTINGS.read_text())
    if fails == "at-start":
        sys.exit("no route to the exchange")
    held = b"x" * (settings["cacheMebibytes"] << 20)
    threading.Thread(target=work, args=(fails,), daemon=True).start()
    asyncio.run(serve())
    # Only now: what is not held is not counted.
    del held
    os._exit(0)  # a worker that hangs would be waited for


if __name__ == "__main__":
    main()
