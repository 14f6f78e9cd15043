"""A registry without images: the kubelet asks it for the one that does not exist."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.processes import start_process, wait_until
from bench.rollback.failures import REGISTRY_PORT

HOST = "127.0.0.1"  # containerd asks the loopback without TLS
START_SECONDS = 10.0


@contextlib.contextmanager
def empty_registry(folder: Path) -> Iterator[None]:
    """Say meanwhile of every image that it is not found."""
    served = folder / "registry"
    served.mkdir(parents=True, exist_ok=True)
    options = ["--bind", HOST, "--directory", str(served), str(REGISTRY_PORT)]
    command = [sys.executable, "-m", "http.server", *options]
    process = start_process(command, {}, folder / "registry.log")
    try:
        wait_until(_answers, START_SECONDS, f"a registry on port {REGISTRY_PORT}", process)
        yield
    finally:
        process.stop()


def _answers() -> bool:
    try:
        with socket.create_connection((HOST, REGISTRY_PORT), timeout=1.0):
            return True
    except OSError:
        return False
