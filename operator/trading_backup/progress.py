"""How far the run is, and the small HTTP server that says so while it goes on."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, has_dualstack_ipv6
from socketserver import TCPServer

logger = logging.getLogger(__name__)

PORT = 8090
PORT_VARIABLE = "TRADING_BACKUP_PROGRESS_PORT"


class Progress:
    """What the run does now; safe across threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing known."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._phase = "Starting"
        self._targets: tuple[str, ...] = ()
        self._done = 0
        self._share = 0.0
        self._bytes = 0
        self._expected: Mapping[str, float] = {}
        self._began = monotonic()

    def enter(self, phase: str) -> None:
        """Begin a phase that has no targets."""
        logger.info("phase begins", extra={"phase": phase})
        with self._lock:
            self._phase, self._targets = phase, ()
            self._begin(0)

    def enter_targets(
        self, phase: str, targets: tuple[str, ...], expected: Mapping[str, float] | None = None
    ) -> None:
        """Begin a phase over targets; `expected` are the seconds that each took last time."""
        self.enter(phase)
        with self._lock:
            self._targets, self._expected = targets, expected or {}

    def next_target(self) -> None:
        """One target is done."""
        with self._lock:
            self._begin(self._done + 1)

    def tell_bytes(self, count: int) -> None:
        """Say how many bytes of the current target were moved."""
        with self._lock:
            self._bytes = count

    def tell_share(self, share: float) -> None:
        """Say which share of the current target is done."""
        with self._lock:
            self._share = share

    def read(self) -> dict[str, object]:
        """Return what /progress answers."""
        with self._lock:
            target = self._targets[self._done] if self._done < len(self._targets) else None
            return {
                "phase": self._phase,
                "target": target,
                "done": self._done,
                "total": len(self._targets),
                "bytes": self._bytes,
                "remainingSeconds": self._estimate(),
            }

    def _begin(self, done: int) -> None:
        self._done, self._share, self._bytes = done, 0.0, 0
        self._began = self._monotonic()

    def _estimate(self) -> int | None:
        """Estimate from the last set; None when a target has no past."""
        rest = self._targets[self._done :]
        if not rest or any(name not in self._expected for name in rest):
            return None
        elapsed = self._monotonic() - self._began
        current = self._expected[rest[0]]
        left = current * (1 - self._share) if self._share else current - elapsed
        return round(max(left, 0) + sum(self._expected[name] for name in rest[1:]))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = AF_INET6 if has_dualstack_ipv6() else AF_INET

    def server_bind(self) -> None:
        if self.address_family == AF_INET6:
            self.socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0)
        # Not HTTPServer's: it asks the name service for the host's own name.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.socket.getsockname()[1]


def serve_progress(progress: Progress, port: int) -> ThreadingHTTPServer | None:
    """Serve /progress from a thread; a run does not fail because nobody can watch it."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            found = self.path == "/progress"
            body = json.dumps(progress.read() if found else {"error": "only /progress"}).encode()
            self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent: the operator asks every few seconds."""

    try:
        server = _Server(("", port), Handler)
    except OSError as error:
        logger.warning("progress is not served: %s", error, extra={"port": port})
        return None
    threading.Thread(target=server.serve_forever, name="progress", daemon=True).start()
    return server
