"""Processes of a measurement: started, watched and ended; what they used of the machine."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

TICKS = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.02
STOP_SECONDS = 30.0
LAST_WORDS = 2000


@dataclass(frozen=True)
class Process:
    """One process of ours."""

    popen: subprocess.Popen[bytes]
    started: float  # seconds since the epoch, just before it began
    log: Path

    @property
    def pid(self) -> int:
        """Return its pid."""
        return self.popen.pid

    def check(self) -> None:
        """Raise BenchError when it has ended, with its last words."""
        if self.popen.poll() is not None:
            words = self.log.read_text(errors="replace")[-LAST_WORDS:]
            raise BenchError(f"{self.log.stem} ended ({self.popen.returncode}):\n{words}")

    def wait(self, seconds: float) -> None:
        """Wait until it ends well."""
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{self.log.stem} did not end in {seconds:.0f} s") from error
        if code:
            self.check()

    def stop(self) -> None:
        """End it as the kubelet does, and as the kernel does when that is of no use."""
        if self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def start_process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Start a process whose output goes to a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = time.time()
        popen = subprocess.Popen(
            list(command), env={**os.environ, **environment}, stdout=output, stderr=output
        )
    return Process(popen, started, log)


def wait_until(
    check: Callable[[], bool],
    seconds: float,
    what: str,
    process: Process,
    poll: float = POLL_SECONDS,
) -> None:
    """Ask every `poll` seconds until something holds; raises BenchError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not check():
        process.check()
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not in {seconds:.0f} s; log {process.log}")
        time.sleep(poll)


def read_cpu_seconds(pid: int) -> float:
    """Return how much CPU a process has used so far, children that ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def read_pss_bytes(pid: int) -> int:
    """Return the memory of a process, shared pages by its part."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))) << 10


def read_peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return (
        int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:"))) << 10
    )


def read_all_cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Return how much CPU each of some named processes has used so far."""
    return {name: read_cpu_seconds(pid) for name, pid in pids.items()}


def subtract(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Return what came to each of some named counters."""
    return {name: round(value - before.get(name, 0.0), 3) for name, value in after.items()}
