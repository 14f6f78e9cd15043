"""GET /progress: how far the training is, for whoever may reach the pod."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 8090


class Progress:
    """What is told now; written by the training, read by requests."""

    def __init__(self) -> None:
        """Begin with nothing that is known."""
        self._content = b'{"stage": "Reading data"}'

    def tell(self, content: dict[str, Any]) -> None:
        """Replace what is told."""
        self._content = json.dumps(content).encode()

    def read(self) -> bytes:
        """Return what is told."""
        return self._content


def serve_progress(progress: Progress, port: int = PORT) -> ThreadingHTTPServer:
    """Answer requests in a thread of its own until the process ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/progress":
                self.send_error(404)
                return
            content = progress.read()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the operator asks every few seconds."""

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    threading.Thread(target=server.serve_forever, name="progress", daemon=True).start()
    return server
