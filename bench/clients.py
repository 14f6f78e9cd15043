"""The subjects that are no operators: clients that only post, and Helm."""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from bench.chart import write_chart
from bench.measure import Bench, build_backlog
from bench.peers import ensure_peer
from bench.processes import read_all_cpu_seconds, start_process, subtract
from bench.records import Record, Usage
from bench.stage import PEER, ROOT, create_systems, set_stage, user_of
from bench.subjects import FLOOR_GO, HELM
from bench.workload import load_template
from cluster.commands import run

AT_ONCE = 24  # requests of a raw client: as many as the operator sends
HELM_AT_ONCE = 4
FLOOR_SECONDS = 900.0


def measure_floor(bench: Bench, name: str, template: Path, repetition: int) -> Record:
    """Measure a client that sends what the operator sends, prepared beforehand."""
    load = os.getloadavg()[0]
    set_stage(bench.plane, bench.parameters)
    systems = create_systems(bench.plane, bench.parameters, bench.parameters.systems)
    listed = bench.plane.layout.state / "systems.json"
    listed.write_text(json.dumps([asdict(system) for system in systems]), encoding="utf-8")
    command = _floor_command(name, bench.plane.write_kubeconfig(PEER), template, listed)
    log = template.parent / "logs" / f"{name}.log"
    environment = {"PYTHONPATH": f"{ROOT}/operator:{ROOT}"}

    def post_all() -> float:
        process = start_process(command, environment, log)
        try:
            process.wait(FLOOR_SECONDS)
        finally:
            process.stop()
        return process.started

    return _measure(bench, (name, repetition, load), len(systems), post_all)


def measure_helm(bench: Bench, template: Path, repetition: int) -> Record:
    """Measure `helm install` of a chart with the same objects, four at a time."""
    load = os.getloadavg()[0]
    set_stage(bench.plane, bench.parameters)
    chart = write_chart(load_template(template.read_bytes()), bench.plane.layout.state / "chart")
    kubeconfig = bench.plane.write_kubeconfig(PEER)
    helm = [bench.plane.layout.program("helm"), "install", f"--kubeconfig={kubeconfig}"]
    count = bench.parameters.helm_systems
    folder = bench.plane.layout.state / "helm"
    home = {name: str(folder) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}

    def install(index: int) -> None:
        name = [
            f"system-{index:05d}",
            str(chart),
            f"--namespace={bench.parameters.namespace(index)}",
        ]
        run([*helm, *name], environment=home)

    def install_all() -> float:
        started = time.time()
        with ThreadPoolExecutor(HELM_AT_ONCE) as pool:
            list(pool.map(install, range(count)))
        return started

    return _measure(bench, (HELM, repetition, load), count, install_all)


def _floor_command(name: str, kubeconfig: Path, template: Path, systems: Path) -> list[str]:
    if name == FLOOR_GO:
        where = [f"--kubeconfig={kubeconfig}", f"--template={template}", f"--raw={systems}"]
        return [str(ensure_peer()), *where, f"--concurrency={AT_ONCE}"]
    files = [str(kubeconfig), str(template), str(systems)]
    return [sys.executable, "-m", "bench.floor", *files, str(AT_ONCE)]


def _measure(
    bench: Bench, what: tuple[str, int, float], systems: int, work: Callable[[], float]
) -> Record:
    """Run work that ends by itself and returns when it began; it is (subject, repetition, load)."""
    audit = bench.audit(user_of(PEER))
    before, used = read_all_cpu_seconds(bench.plane.pids()), os.times()
    started = work()
    spent = os.times()
    cpu = spent.children_user - used.children_user + spent.children_system - used.children_system
    servers = subtract(read_all_cpu_seconds(bench.plane.pids()), before)
    usage = Usage(cpu_seconds=round(cpu, 3), server_cpu_seconds=servers)
    backlog = build_backlog(audit.read(), started, (systems, bench.children), usage)
    return Record(*what, backlog)
