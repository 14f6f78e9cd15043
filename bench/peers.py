"""Building the peer, an operator in Go, into the cache, once for each content of its sources."""

import hashlib
import tempfile
from pathlib import Path

from cluster.commands import run
from cluster.layout import cache_dir
from cluster.tools import find_go, read_go_version

SOURCES = Path(__file__).parent / "peers"
BUILD_SECONDS = 900.0


def peer_key(files: dict[str, bytes], go_version: str) -> str:
    """Return the content address of the program."""
    digest = hashlib.sha256(go_version.encode())
    for name, content in sorted(files.items()):
        digest.update(name.encode() + hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def find_peer() -> Path:
    """Return where the program is, or will be."""
    files = {file.name: file.read_bytes() for file in sorted(SOURCES.iterdir()) if file.is_file()}
    return cache_dir() / "bench" / "peers" / peer_key(files, read_go_version(find_go()))


def ensure_peer() -> Path:
    """Build the program unless the cache has it; returns its path."""
    program = find_peer()
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        built = Path(scratch) / "peers"
        command = [find_go(), "-C", str(SOURCES), "build", "-mod=readonly", "-trimpath"]
        command += ["-ldflags=-s -w", "-o", str(built), "."]
        run(command, environment={"CGO_ENABLED": "0"}, timeout=BUILD_SECONDS)
        built.rename(program)
    return program
