"""Health checks of services as probes."""

from dataclasses import replace
from datetime import timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import HealthCheck, Service
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.probe import (
    Timing,
    build_exec_probe,
    build_http_probe,
    build_tcp_probe,
    parse_timing,
)

_STARTUP_PERIOD = timedelta(seconds=2)


def plan_probes(service: Service, path: str) -> Manifest:
    """Return the probes of a service's container; raises InvalidSpecError."""
    probes: Manifest = {}
    if service.health is not None:
        probes["readinessProbe"] = _build_probe(service, service.health, f"{path}.health")
    if service.liveness is not None:
        probes["livenessProbe"] = _build_probe(service, service.liveness, f"{path}.liveness")
        probes["startupProbe"] = _build_startup(service, service.liveness, f"{path}.liveness")
    return probes


def _build_startup(service: Service, check: HealthCheck, path: str) -> Manifest:
    deadline = parse_duration(service.startup_deadline)
    failures = max(1, round(deadline / _STARTUP_PERIOD))
    timing = replace(_timing(check), period=_STARTUP_PERIOD, failures=failures)
    return _build_probe(service, check, path, timing)


def _timing(check: HealthCheck) -> Timing:
    return parse_timing(check.period, check.timeout, check.failure_threshold)


def _build_probe(
    service: Service, check: HealthCheck, path: str, timing: Timing | None = None
) -> Manifest:
    timing = timing or _timing(check)
    if check.command is not None:
        return build_exec_probe(check.command, timing)
    port = _port_name(service, check, path)
    if check.path is not None:
        return build_http_probe(check.path, port, timing)
    return build_tcp_probe(port, timing)


def _port_name(service: Service, check: HealthCheck, path: str) -> str:
    names = [port.name for port in service.ports]
    if check.port is None and names:
        return names[0]
    if check.port not in names:
        raise InvalidSpecError(
            f"{path}.port",
            f"{service.name} has no port {check.port or 'at all'}",
            "declare it under ports, or check with a command",
        )
    return check.port
