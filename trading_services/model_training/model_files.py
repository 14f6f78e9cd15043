"""Model files: named by their content's digest, written whole or not at all."""

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

MODEL_SUFFIX = ".lgbm.txt"


def build_file_digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_model_file(folder: Path, text: str) -> tuple[Path, str]:
    """Write the model and return its path and digest; the same text again changes nothing."""
    return write_model_content(folder, text.encode(), MODEL_SUFFIX)


def write_model_content(folder: Path, content: bytes, suffix: str) -> tuple[Path, str]:
    """Write a model of whatever format and return its path and digest; once is enough."""
    digest = build_file_digest(content)
    path = folder / f"{digest}{suffix}"
    if not _holds(path, content):
        folder.mkdir(parents=True, exist_ok=True)
        _write_atomically(path, content)
    return path, digest


def delete_leftovers(folder: Path, older_than_seconds: float = 0.0) -> None:
    """Remove what a writer that was killed half-way has left behind.

    Where others write too, an age spares what they are at.
    """
    for leftover in folder.glob("*.partial"):
        with suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime >= older_than_seconds:
                leftover.unlink()


def _holds(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _write_atomically(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    # Other users read the shared volume.
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
