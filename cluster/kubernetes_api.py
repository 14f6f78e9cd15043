"""A small REST client for the API server: a kubeconfig in, decoded JSON out."""

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Object = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


class ApiClient:
    """Talks to one API server with a client certificate."""

    def __init__(self, kubeconfig: Path, timeout: float = 10.0) -> None:
        config = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        parts = urlsplit(cluster["server"])
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._timeout = timeout
        self._context = _build_context(cluster, user)

    def get(self, path: str) -> Object:
        """Read one object or list."""
        return self._request("GET", path)

    def post(self, path: str, body: Object) -> Object:
        """Create an object."""
        return self._request("POST", path, body)

    def merge(self, path: str, body: Object) -> Object:
        """Change the given fields of an object."""
        return self._request("PATCH", path, body, MERGE_PATCH)

    def delete(self, path: str) -> Object:
        """Delete an object."""
        return self._request("DELETE", path)

    def is_ready(self) -> bool:
        """Tell whether the API server calls itself ready."""
        try:
            with closing(self._connect(self._timeout)) as connection:
                connection.request("GET", "/readyz")
                response = connection.getresponse()
                response.read()  # an answer that is not read to its end keeps the socket open
                return response.status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def watch(self, path: str, seconds: int) -> Iterator[Object]:
        """Yield watch events until the server ends the stream after that many seconds."""
        with closing(self._connect(seconds + self._timeout)) as connection:
            connection.request("GET", f"{path}?watch=true&timeoutSeconds={seconds}")
            response = connection.getresponse()
            if response.status >= http.client.BAD_REQUEST:
                raise ApiError(response.status, response.read().decode(errors="replace"))
            while line := response.readline():
                yield json.loads(line)

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout, context=self._context
        )

    def _request(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        with closing(self._connect(self._timeout)) as connection:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": kind})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        if response.status >= http.client.BAD_REQUEST:
            raise ApiError(response.status, text)
        answer: Object = json.loads(text)
        return answer


def _build_context(cluster: dict[str, str], user: dict[str, str]) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    # The ssl module reads a client certificate from files only.
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(user["client-certificate-data"]))
        pair.write(base64.b64decode(user["client-key-data"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    return context
