"""Long-lived processes of a cluster: started, recorded, found again, ended by pid."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cluster.commands import build_search_path

POLL_SECONDS = 0.02
# Only these may be ended when found by the state folder in their command line: a person's
# `kubectl --kubeconfig STATE/...` or `tail STATE/...` is none of our processes.
OWN_PROGRAMS = frozenset(
    {
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
        "kwok",
        "coredns",
        "metrics-server",
        "containerd",
        "containerd-shim-runc-v2",
    }
)
OWN_MODULES = frozenset({"cluster.storage_provisioner"})


@dataclass(frozen=True)
class Component:
    """One process to run: command, folder it runs in, extra environment."""

    name: str
    command: tuple[str, ...]
    directory: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes when the process would have to be started anew."""
        facts = [self.command, str(self.directory), sorted(self.environment.items())]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def read_start_time(pid: int) -> str | None:
    """Return what tells this process from a later one of the same pid; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    # A first thread that ended leaves a zombie while others still hold ports and files.
    if fields[0] in "ZX" and int(fields[17]) <= 1:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return None
    return f"{boot}:{fields[19]}"


def read_command_line(pid: int) -> list[str]:
    """Return a process's arguments; empty when it is gone or a kernel thread."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
    return raw.decode(errors="replace").rstrip("\0").split("\0") if raw else []


def is_own_command(arguments: list[str], state: Path) -> bool:
    """Tell whether a command line is one of ours for the cluster in that state folder."""
    if not arguments or not any(f"{state}/" in argument for argument in arguments):
        return False
    return Path(arguments[0]).name in OWN_PROGRAMS or bool(OWN_MODULES & set(arguments))


def find_own_processes(state: Path) -> list[int]:
    """Return pids whose command line shows them to be ours, recorded or not."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [
        pid
        for pid in pids
        if is_own_command(read_command_line(pid), state) and read_start_time(pid)
    ]


def end_processes(pids: Iterable[int], grace_seconds: float) -> None:
    """Ask processes to end, then kill those still there; returns when all are gone."""
    alive = {pid: started for pid in pids if (started := read_start_time(pid))}
    if grace_seconds > 0:
        _send(alive, signal.SIGTERM)
        alive = _wait_gone(alive, grace_seconds)
    _send(alive, signal.SIGKILL)
    _wait_gone(alive, 10.0)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_gone(alive: dict[int, str], seconds: float) -> dict[int, str]:
    deadline = time.monotonic() + seconds
    while alive and time.monotonic() < deadline:
        alive = {pid: started for pid, started in alive.items() if read_start_time(pid) == started}
        time.sleep(POLL_SECONDS if alive else 0)
    return alive


class ProcessTable:
    """The recorded processes of one cluster."""

    def __init__(self, pids: Path, logs: Path) -> None:
        self._pids = pids
        self._logs = logs

    def log_of(self, name: str) -> Path:
        """Return where a component writes what it says."""
        return self._logs / f"{name}.log"

    def names(self) -> Iterator[str]:
        """Iterate over every component that was ever started here."""
        yield from sorted(path.stem for path in self._pids.glob("*.json"))

    def find_ended(self) -> list[str]:
        """Return the components that were started, and that nobody stopped, but that are gone."""
        return [name for name in self.names() if self.pid_of(name) is None]

    def pid_of(self, name: str) -> int | None:
        """Return the pid of a component that runs, else None."""
        record = self._read(name)
        if record is None or read_start_time(int(record["pid"])) != record["started"]:
            return None
        return int(record["pid"])

    def runs(self, component: Component) -> bool:
        """Tell whether a component runs, with just this command."""
        record = self._read(component.name)
        same = record is not None and record["digest"] == component.digest
        return same and self.pid_of(component.name) is not None

    def start(self, component: Component) -> None:
        """Start a component unless it runs already with the same command."""
        if not self.runs(component):
            self.stop(component.name)
            self._write(component, _spawn(component, self.log_of(component.name)))

    def stop(self, name: str, grace_seconds: float = 5.0) -> None:
        """End a component and forget it."""
        pid = self.pid_of(name)
        if pid is not None:
            end_processes([pid], grace_seconds)
        (self._pids / f"{name}.json").unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, str] | None:
        try:
            text = (self._pids / f"{name}.json").read_text(encoding="utf-8")
            record: dict[str, str] = json.loads(text)
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return record

    def _write(self, component: Component, pid: int) -> None:
        record = {
            "pid": str(pid),
            "started": read_start_time(pid) or "",
            "digest": component.digest,
        }
        self._pids.mkdir(parents=True, exist_ok=True)
        (self._pids / f"{component.name}.json").write_text(json.dumps(record), encoding="utf-8")


def _spawn(component: Component, log: Path) -> int:
    """Start a process in a session of its own, so that it outlives us and our terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(component.directory), *component.command]
    environment = {"PATH": build_search_path(), "HOME": str(Path.home()), **component.environment}
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        shell[0],
        shell,
        environment,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
