"""An image's own entry point, run as a pod would run it, and killed as a node would."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
START_SECONDS = 40.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02


def find_free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def poll(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_SECONDS)
    return condition()


@dataclass(frozen=True)
class ImageProcess:
    """A running image and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    log: Path
    begins_at: int

    @property
    def output(self) -> str:
        """Everything printed so far by this run; earlier runs may have written to the same file."""
        return self.log.read_bytes()[self.begins_at :].decode(errors="replace")

    def kill(self) -> None:
        """End it as a node that died would; returns when nothing of it runs any more."""
        children = self._children()
        self.process.kill()
        self.process.wait()
        gone = poll(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), STOP_SECONDS
        )
        assert gone, f"processes of a killed image live on: {children}"

    def stop(self) -> int:
        """Ask it to stop and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until it is ready; fail with its output when it ends or takes too long."""
        came = poll(lambda: self.process.poll() is not None or ready(), START_SECONDS)
        assert came, self.output[-4000:]
        assert self.process.poll() is None, self.output[-4000:]

    def wait_until_printed(self, text: str) -> None:
        """Wait until it has printed something."""
        came = poll(lambda: text in self.output, START_SECONDS)
        assert came, self.output[-4000:]

    def _children(self) -> list[str]:
        pid = self.process.pid
        try:
            return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except FileNotFoundError:
            return []


def build_command(
    name: str, mounts: Mapping[str, Path], environment: Mapping[str, str], arguments: Sequence[str]
) -> list[str]:
    """The command line that runs an image without a cluster."""
    mounted = [part for inside, here in mounts.items() for part in ("--mount", f"{here}:{inside}")]
    given = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
    head = [sys.executable, "-m", "images", "run", name]
    return [*head, *mounted, *given, "--", *arguments]


def run_once(name: str, program: str, *arguments: str) -> str:
    """Run a program of an image, in place of its entry point, and give its output."""
    command = build_command(name, {}, {}, arguments)
    place = command.index("--")
    command[place:place] = ["--entrypoint", program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def run_image(
    name: str,
    log: Path,
    mounts: Mapping[str, Path],
    environment: Mapping[str, str],
    arguments: Sequence[str],
) -> Iterator[ImageProcess]:
    """Run an image; whatever still runs at the end is killed."""
    assert os.geteuid() == 0, "these tests run images by chroot: run them as root"
    command = build_command(name, mounts, environment, arguments)
    begins_at = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT)
    image = ImageProcess(process, log, begins_at)
    try:
        yield image
    finally:
        if process.poll() is None:
            image.kill()
