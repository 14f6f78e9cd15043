"""Probes: how the kubelet asks a container."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from trading_operator.api.common import parse_duration
from trading_operator.manifests.metadata import Manifest


@dataclass(frozen=True)
class Timing:
    """When to ask, and how many failures in a row count."""

    period: timedelta
    timeout: timedelta
    failures: int


def parse_timing(period: str, timeout: str, failures: int) -> Timing:
    """Turn the durations of the API into a timing."""
    return Timing(parse_duration(period), parse_duration(timeout), failures)


def whole_seconds(duration: timedelta) -> int:
    """Round up to the whole seconds that the kubelet knows, at least one."""
    return max(1, math.ceil(duration.total_seconds()))


def build_exec_probe(command: Sequence[str], timing: Timing) -> Manifest:
    """Build a probe that runs a command in the container."""
    return {"exec": {"command": list(command)}, **_build_timing(timing)}


def build_http_probe(path: str, port: str, timing: Timing) -> Manifest:
    """Build a probe that asks over HTTP."""
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, **_build_timing(timing)}


def build_tcp_probe(port: str, timing: Timing) -> Manifest:
    """Build a probe that connects."""
    return {"tcpSocket": {"port": port}, **_build_timing(timing)}


def _build_timing(timing: Timing) -> Manifest:
    return {
        "periodSeconds": whole_seconds(timing.period),
        "timeoutSeconds": whole_seconds(timing.timeout),
        "failureThreshold": timing.failures,
    }
