"""Images run without a cluster, with the mounts that a pod would have."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import BenchError
from bench.stage import ROOT

_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Image:
    """How an image is run: its mounts by their paths inside, and its environment."""

    name: str
    log: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, words: Sequence[str], entrypoint: str | None = None) -> str:
        """Run a program to its end and return what it printed. Raises BenchError."""
        command = self._command(words, entrypoint)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.log.write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            raise BenchError(f"{self.name} {' '.join(words)[:80]}: see {self.log}")
        return done.stdout

    @contextmanager
    def serving(self, words: Sequence[str]) -> Iterator[None]:
        """Run it until the end of the block."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                self._command(words, None), cwd=ROOT, stdout=output, stderr=output
            )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_STOP_SECONDS)

    def _command(self, words: Sequence[str], entrypoint: str | None) -> list[str]:
        mounts = [f"{here}:{inside}" for inside, here in self.mounts.items()]
        values = [f"{name}={value}" for name, value in self.environment.items()]
        return [
            *(sys.executable, "-m", "images", "run", self.name),
            *(part for each in mounts for part in ("--mount", each)),
            *(part for each in values for part in ("--env", each)),
            *(("--entrypoint", entrypoint) if entrypoint else ()),
            *("--", *words),
        ]


def find_free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_folder(path: Path, owner: int) -> Path:
    """Make an empty folder of a program's user."""
    path.mkdir(parents=True)
    os.chown(path, owner, owner)
    return path


def wait_until(ready: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a function answers true. Raises BenchError."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise BenchError("a server did not start: see its log beside the records")
        time.sleep(0.1)
