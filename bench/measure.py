"""The measurements of an operator: backlog, memory, one system at a time, restart, idleness."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.audit import (
    LEASES,
    SYSTEMS,
    WRITES,
    AuditReader,
    Request,
    count_requests,
    last_done,
    writes_of,
)
from bench.control_plane import ControlPlane
from bench.parameters import Parameters
from bench.processes import (
    Process,
    read_all_cpu_seconds,
    read_cpu_seconds,
    read_peak_bytes,
    read_pss_bytes,
    subtract,
    wait_until,
)
from bench.records import Backlog, Record, Restart, Usage
from bench.stage import create_system, create_systems, set_stage, user_of
from bench.subjects import GO_DEFAULT, Operator, Running

BACKLOG_SECONDS = 900.0
QUIET_SECONDS = 1.5  # without a write: then the backlog is done
LATENCY_SECONDS = 30.0
PAUSE_SECONDS = 0.3
# Rendering metrics costs the subject CPU: asked as often as an audit log it would slow itself down.
SCRAPE_SECONDS = 0.1
ADMIN = "kubernetes-admin"


@dataclass(frozen=True)
class Bench:
    """One measurement on one fresh control plane."""

    plane: ControlPlane
    parameters: Parameters
    children: int

    def audit(self, user: str) -> AuditReader:
        """Return a reader of one user's requests."""
        return AuditReader(self.plane.layout.audit_log, user)


def measure_operator(bench: Bench, build: Callable[[], Operator], repetition: int) -> Record:
    """Measure an operator from an empty store on; the slow one's backlog alone."""
    load = os.getloadavg()[0]
    set_stage(bench.plane, bench.parameters)
    operator = build()
    create_systems(bench.plane, bench.parameters, bench.parameters.systems)
    audit = bench.audit(user_of(operator.account))
    before = read_all_cpu_seconds(bench.plane.pids())
    running = operator.start()
    try:
        backlog = _measure_backlog(bench, running.process, audit, before)
        if operator.name == GO_DEFAULT:
            return Record(operator.name, repetition, load, backlog)
        time.sleep(bench.parameters.settle_seconds)
        settled = read_pss_bytes(running.process.pid)
        latencies = _measure_latencies(bench, running.process, audit)
        running.process.stop()
        running = operator.start()
        restart = _measure_restart(bench, running, audit)
    finally:
        running.process.stop()
    return Record(operator.name, repetition, load, backlog, settled, latencies, restart)


def _measure_backlog(
    bench: Bench, process: Process, audit: AuditReader, before: Mapping[str, float]
) -> Backlog:
    """Wait until every system has its children and its status, and nothing is written any more."""
    systems = bench.parameters.systems

    def is_done() -> bool:
        requests = audit.read()
        made = sum(each.makes_child for each in requests)
        if made < systems * bench.children or _reported(requests) < systems:
            return False
        return time.time() - last_done(writes_of(requests)) > QUIET_SECONDS

    wait_until(is_done, BACKLOG_SECONDS, f"children of {systems} systems", process)
    usage = Usage(
        cpu_seconds=read_cpu_seconds(process.pid),
        server_cpu_seconds=subtract(read_all_cpu_seconds(bench.plane.pids()), before),
        peak_bytes=read_peak_bytes(process.pid),
    )
    return build_backlog(audit.read(), process.started, (systems, bench.children), usage)


def build_backlog(
    requests: Sequence[Request], started: float, size: tuple[int, int], usage: Usage
) -> Backlog:
    """Build the record of a backlog of `size` (systems, children of each) from the audit log."""
    writes = writes_of(requests)
    made = [each for each in requests if each.makes_child]
    return Backlog(
        systems=size[0],
        children=size[1],
        seconds_to_children=last_done(made) - started,
        seconds_to_status=last_done(writes) - started,
        child_seconds=last_done(made) - min(each.received for each in made),
        writes=len(writes),
        requests=count_requests(requests),
        usage=usage,
    )


def _reported(requests: Sequence[Request]) -> int:
    written = {
        (each.namespace, each.name)
        for each in requests
        if each.resource == SYSTEMS and each.subresource == "status" and each.code == 200
    }
    return len(written)


def _measure_latencies(bench: Bench, process: Process, audit: AuditReader) -> list[float]:
    return [
        _measure_latency(bench, process, audit, index)
        for index in range(bench.parameters.latency_samples)
    ]


def _measure_latency(bench: Bench, process: Process, audit: AuditReader, index: int) -> float:
    """Return the seconds from applying one system until its last child was there."""
    namespace = bench.parameters.namespace(index)
    name = f"single-{index:05d}"
    admin, known = bench.audit(ADMIN), len(audit.read())
    create_system(bench.plane, name, namespace)

    def made() -> list[Request]:
        return [each for each in audit.read()[known:] if each.makes_child]

    wait_until(
        lambda: len(made()) >= bench.children, LATENCY_SECONDS, f"children of {name}", process
    )
    _wait_quiet(audit)
    applied = next(each for each in admin.read() if each.name == name)
    return last_done(made()) - applied.received


def _wait_quiet(audit: AuditReader) -> None:
    """Wait until the status is written too, so that no system disturbs the next one."""
    while time.time() - last_done(writes_of(audit.read())) < QUIET_SECONDS:
        time.sleep(PAUSE_SECONDS)


def _measure_restart(bench: Bench, running: Running, audit: AuditReader) -> Restart:
    systems = bench.parameters.systems + bench.parameters.latency_samples
    wait_until(
        lambda: running.passes() >= systems,
        BACKLOG_SECONDS,
        "a pass over each",
        running.process,
        SCRAPE_SECONDS,
    )
    warm = time.time()
    time.sleep(bench.parameters.idle_seconds)
    requests = audit.read()
    since = [each for each in requests if each.received >= running.process.started]
    idle = [each for each in since if each.received >= warm]
    return Restart(
        warm_seconds=warm - running.process.started,
        writes=count_requests(writes_of(since)),
        idle_seconds=bench.parameters.idle_seconds,
        idle_writes=len(writes_of(idle)),
        lease_writes=sum(each.resource == LEASES and each.verb in WRITES for each in idle),
        settled_bytes=read_pss_bytes(running.process.pid),
    )
