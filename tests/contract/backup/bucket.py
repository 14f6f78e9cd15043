"""A bucket in memory that speaks as much of S3 as restic's client asks for."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "backups"
ACCESS_KEY, SECRET_KEY = "AKIATESTKEY", "only-for-tests-secret-key"
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")
_TIME = "2026-11-30T03:00:00.000Z"


@dataclass
class Bucket:
    """The objects of a bucket by key, and the address that it is served at."""

    objects: dict[str, bytes] = field(default_factory=dict)
    endpoint: str = ""


def _unchunk(body: bytes) -> bytes:
    """Take the frames off that signed uploads have: a size, a signature, the data."""
    content = b""
    while True:
        head, _, rest = body.partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        if not size:
            return content
        content += rest[:size]
        body = rest[size + 2 :]


def _list(objects: dict[str, bytes], prefix: str, delimiter: str) -> str:
    keys = sorted(key for key in objects if key.startswith(prefix))
    folders, files = set(), []
    for key in keys:
        name, slash, _ = key.removeprefix(prefix).partition(delimiter or "\0")
        if slash:
            folders.add(f"{prefix}{name}{slash}")
        else:
            files.append(key)
    entries = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>{_TIME}</LastModified>"
        f'<ETag>"{hashlib.md5(objects[key]).hexdigest()}"</ETag><Size>{len(objects[key])}</Size>'
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for key in files
    )
    common = "".join(
        f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
        for name in sorted(folders)
    )
    return (
        f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix>"
        f"<KeyCount>{len(files)}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>false</IsTruncated>{entries}{common}</ListBucketResult>"
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_GET(self) -> None:
        if not self._allowed():
            return
        key, query = self._parse()
        if key:
            self._send_object(key)
        elif "location" in query:
            self._send(200, b"<LocationConstraint></LocationConstraint>")
        else:
            prefix, delimiter = (query.get(name, [""])[0] for name in ("prefix", "delimiter"))
            self._send(200, _list(self.bucket.objects, prefix, delimiter).encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._allowed():
            return
        if self.headers.get("X-Amz-Content-Sha256", "").startswith("STREAMING-"):
            body = _unchunk(body)
        self.bucket.objects[self._parse()[0]] = body
        self._send(200, b"", ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def do_DELETE(self) -> None:
        if self._allowed():
            self.bucket.objects.pop(self._parse()[0], None)
            self._send(204, b"")

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def _parse(self) -> tuple[str, dict[str, list[str]]]:
        place = urlsplit(self.path)
        key = unquote(place.path).removeprefix(f"/{BUCKET}").lstrip("/")
        return key, parse_qs(place.query, keep_blank_values=True)

    def _allowed(self) -> bool:
        if f"Credential={ACCESS_KEY}/" in self.headers.get("Authorization", ""):
            return True
        words = "The Access Key Id you provided does not exist in our records."
        code = "InvalidAccessKeyId"
        self._send(403, f"<Error><Code>{code}</Code><Message>{words}</Message></Error>".encode())
        return False

    def _send_object(self, key: str) -> None:
        content = self.bucket.objects.get(key)
        if content is None:
            missing = "<Error><Code>NoSuchKey</Code><Message>It is not there.</Message></Error>"
            self._send(404, missing.encode())
            return
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        part = _RANGE.fullmatch(self.headers.get("Range", ""))
        if part is None:
            self._send(200, content, ETag=tag)
            return
        first, last = int(part[1]), int(part[2] or len(content) - 1)
        shown = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._send(206, content[first : last + 1], ETag=tag, **shown)

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Last-Modified", formatdate(usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def served_bucket() -> Iterator[Bucket]:
    """Serve an empty bucket for the time of the block."""
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
