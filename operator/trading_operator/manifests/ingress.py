"""Ingresses: HTTP from outside the cluster to a component's Service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_metadata,
    build_part_labels,
)

KIND = "Ingress"


@dataclass(frozen=True)
class Route:
    """Which hosts and path prefixes lead to which port of which Service."""

    service: str
    port: str
    hosts: Mapping[str, Sequence[str]]  # path prefixes by host
    class_name: str | None = None
    tls_secret: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


def build_http_ingress(part: Part, route: Route) -> Manifest:
    """Build the Ingress of a component."""
    metadata = build_metadata(part.owner, part.name, build_part_labels(part))
    if route.annotations:
        metadata["annotations"] = dict(route.annotations)
    spec: Manifest = {
        "rules": [
            {"host": host, "http": {"paths": [_build_path(route, path) for path in paths]}}
            for host, paths in route.hosts.items()
        ]
    }
    if route.class_name is not None:
        spec["ingressClassName"] = route.class_name
    if route.tls_secret is not None:
        spec["tls"] = [{"hosts": list(route.hosts), "secretName": route.tls_secret}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": KIND,
        "metadata": metadata,
        "spec": spec,
    }


def _build_path(route: Route, path: str) -> Manifest:
    service = {"name": route.service, "port": {"name": route.port}}
    return {"path": path, "pathType": "Prefix", "backend": {"service": service}}
