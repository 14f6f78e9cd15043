"""How a service is reached: its Service, and its Ingress."""

from collections.abc import Iterable
from ipaddress import ip_network

from trading_operator.api.common import GROUP, parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.exposure import Exposure, Ingress, ServiceType, SessionAffinity
from trading_operator.api.service import Service
from trading_operator.manifests.ingress import Route, build_http_ingress
from trading_operator.manifests.metadata import Manifest, Part
from trading_operator.manifests.service import Access, build_service
from trading_operator.plan.address import service_name, service_ports

_AFFINITY_SECONDS = 10800  # as Kubernetes has it
_LONGEST_AFFINITY_SECONDS = 86400


def plan_address(part: Part, service: Service, path: str) -> Manifest | None:
    """Return the Service of a component, None when it has no port; raises InvalidSpecError."""
    access = _plan_access(service, f"{path}.exposure")
    if not service.ports:
        _refuse_without_port(service, path)
        return None
    ports = service_ports(service)
    for at, port in enumerate(ports):
        if list(ports.values()).index(ports[port]) < at:
            raise InvalidSpecError(
                f"{path}.ports[{at}]",
                f"another port has the number {ports[port]} on the Service already",
                "give one of them another servicePort",
            )
    return build_service(part, service_name(part.owner, service), ports, access)


def _refuse_without_port(service: Service, path: str) -> None:
    if service.ingress is not None or service.exposure.type is not ServiceType.CLUSTER_IP:
        what = "exposure" if service.ingress is None else "ingress"
        raise InvalidSpecError(
            f"{path}.{what}", f"{service.name} has no port", "declare one under ports"
        )


def _plan_access(service: Service, path: str) -> Access:
    asked = service.exposure
    _check_annotations(asked.annotations, path)
    if asked.type is not ServiceType.LOAD_BALANCER and (
        asked.load_balancer_source_ranges or asked.load_balancer_class is not None
    ):
        raise InvalidSpecError(
            f"{path}.type", f"{asked.type} has no load balancer", "set it to LoadBalancer"
        )
    for at, cidr in enumerate(asked.load_balancer_source_ranges):
        _check_cidr(cidr, f"{path}.loadBalancerSourceRanges[{at}]")
    return Access(
        type=asked.type.value,
        affinity_seconds=_affinity_seconds(asked, f"{path}.sessionAffinityTimeout"),
        annotations=asked.annotations,
        source_ranges=tuple(asked.load_balancer_source_ranges),
        balancer_class=asked.load_balancer_class,
        traffic_policy=asked.external_traffic_policy.value,
    )


def _affinity_seconds(asked: Exposure, path: str) -> int | None:
    timeout = asked.session_affinity_timeout
    if asked.session_affinity is SessionAffinity.NONE:
        if timeout is not None:
            raise InvalidSpecError(
                path, "there is no affinity", "set sessionAffinity: ClientIP or remove it"
            )
        return None
    if timeout is None:
        return _AFFINITY_SECONDS
    seconds = int(parse_duration(timeout).total_seconds())
    if not 0 < seconds <= _LONGEST_AFFINITY_SECONDS:
        raise InvalidSpecError(path, f"{timeout} cannot be kept", "at least 1s and at most 24h")
    return seconds


def _check_cidr(cidr: str, path: str) -> None:
    try:
        ip_network(cidr, strict=False)
    except ValueError:
        raise InvalidSpecError(
            path, f"{cidr} is no address range", "write one as in 203.0.113.0/24"
        ) from None


def _check_annotations(annotations: Iterable[str], path: str) -> None:
    for key in annotations:
        if key.partition("/")[0].endswith(GROUP):
            raise InvalidSpecError(
                f"{path}.annotations", f"{key} is the operator's own", "remove it"
            )


def plan_ingress(part: Part, service: Service, path: str) -> Manifest | None:
    """Return the Ingress of a service that asks for one; raises InvalidSpecError."""
    asked = service.ingress
    if asked is None:
        return None
    _check_annotations(asked.annotations, f"{path}.ingress")
    route = Route(
        service=service_name(part.owner, service),
        port=_port(service, asked, f"{path}.ingress.port"),
        hosts={each.host: each.paths for each in asked.hosts},
        class_name=asked.class_name,
        tls_secret=asked.tls_secret_name,
        annotations=asked.annotations,
    )
    return build_http_ingress(part, route)


def _port(service: Service, asked: Ingress, path: str) -> str:
    names = [port.name for port in service.ports]
    if asked.port is None and names:
        return names[0]
    if asked.port not in names:
        raise InvalidSpecError(
            path, f"{service.name} has no port {asked.port}", "declare it under ports"
        )
    return asked.port
