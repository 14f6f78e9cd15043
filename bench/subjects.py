"""The operators that are measured: how each is started and what its metrics say."""

import re
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.control_plane import SUBJECTS, ControlPlane
from bench.peers import ensure_peer
from bench.processes import Process, start_process
from bench.stage import OPERATOR, PEER, ROOT

OURS, GO_WIDE, GO_DEFAULT = "trading-operator", "controller-runtime-32", "controller-runtime-1"
HELM, FLOOR_PYTHON, FLOOR_GO = "helm", "floor-aiohttp", "floor-go"
WORKERS = {GO_WIDE: 32, GO_DEFAULT: 1}
_OUR_PASSES = r'trading_operator_reconcile_total\{.*?result="success".*?\} (\S+)'
_GO_PASSES = r'controller_runtime_reconcile_total\{.*?result="success".*?\} (\S+)'


@dataclass(frozen=True)
class Running:
    """An operator that runs."""

    process: Process
    port: int
    passes_pattern: str

    def passes(self) -> float:
        """Return how many passes over systems went well since the start, from its metrics."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        except httpx.TransportError:
            return 0.0
        return sum(map(float, re.findall(self.passes_pattern, text)))


@dataclass(frozen=True)
class Operator:
    """One operator among those that are compared."""

    name: str
    account: str
    start: Callable[[], Running]


def build_operator(name: str, plane: ControlPlane, template: Path, logs: Path) -> Operator:
    """Build one of the operators by its name."""
    if name == OURS:
        pod = plane.write_service_account(OPERATOR)
        return Operator(name, OPERATOR, lambda: start_ours(pod, logs / f"{name}.log"))
    kubeconfig = plane.write_kubeconfig(PEER)
    return Operator(
        name, PEER, lambda: _start_go(kubeconfig, template, WORKERS[name], logs / f"{name}.log")
    )


def start_ours(credentials: Mapping[str, str], log: Path) -> Running:
    """Start the operator with the settings of its chart, and variables with its credentials."""
    port = find_free_port()
    environment = {
        "PYTHONPATH": str(ROOT / "operator"),
        "KUBECONFIG": "",
        **credentials,
        "TRADING_OPERATOR_NAMESPACE": SUBJECTS,
        "TRADING_OPERATOR_POD_NAME": "bench",
        "TRADING_OPERATOR_PORT": str(port),
    }
    command = [sys.executable, "-m", "trading_operator.main"]
    return Running(start_process(command, environment, log), port, _OUR_PASSES)


def _start_go(kubeconfig: Path, template: Path, workers: int, log: Path) -> Running:
    port = find_free_port()
    command = [
        str(ensure_peer()),
        f"--kubeconfig={kubeconfig}",
        f"--template={template}",
        f"--concurrency={workers}",
        f"--metrics=127.0.0.1:{port}",
        f"--lease-namespace={SUBJECTS}",
    ]
    return Running(start_process(command, {}, log), port, _GO_PASSES)


def find_free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
