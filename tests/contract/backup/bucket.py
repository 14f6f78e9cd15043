"""An S3 server with an empty bucket, its objects in a folder."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cluster.tools import find_test_program
from contract.images.image_process import find_free_port, poll

BUCKET, REGION = "backups", "eu-central-1"
ACCESS_KEY, SECRET_KEY = "AKIATESTKEY", "only-for-tests-secret-key"
# The server's own, of uploads that are not whole yet.
_UNFINISHED = ".sgwtmp"


@dataclass(frozen=True)
class Bucket:
    """Where the bucket is, for clients and on disk."""

    endpoint: str
    folder: Path

    @property
    def objects(self) -> dict[str, bytes]:
        """The content of every object by its key."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        keys = {path.relative_to(self.folder).as_posix(): path for path in files}
        return {
            key: path.read_bytes() for key, path in keys.items() if not key.startswith(_UNFINISHED)
        }


@contextmanager
def served_bucket(folder: Path) -> Iterator[Bucket]:
    """Serve an empty bucket until the end of the block."""
    root, port = folder / "root", find_free_port()
    (root / BUCKET).mkdir(parents=True)
    keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    words = ["--port", f"127.0.0.1:{port}", "--region", REGION, "posix", str(root)]
    command = [str(find_test_program("versitygw")), *words]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **keys})
    bucket = Bucket(f"http://127.0.0.1:{port}", root / BUCKET)
    try:
        assert poll(lambda: _answers(bucket.endpoint), 20.0), (folder / "log").read_text()
        yield bucket
    finally:
        process.kill()
        process.wait()


def _answers(endpoint: str) -> bool:
    try:
        httpx.get(endpoint)
    except httpx.TransportError:
        return False
    return True
