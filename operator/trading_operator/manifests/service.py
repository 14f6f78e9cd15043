"""Services: the address of a component."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_metadata,
    build_part_labels,
    build_selector,
)

KIND = "Service"
CLUSTER_IP = "ClusterIP"
LOAD_BALANCER = "LoadBalancer"
_NO_AFFINITY = "None"


@dataclass(frozen=True)
class Access:
    """From where a Service is reached; the last three fields are for load balancers alone."""

    type: str = CLUSTER_IP
    affinity_seconds: int | None = None  # None: every connection may reach another pod
    annotations: Mapping[str, str] = field(default_factory=dict)
    source_ranges: tuple[str, ...] = ()
    balancer_class: str | None = None
    traffic_policy: str = "Cluster"


_WITHIN = Access()


def build_service(
    part: Part,
    name: str,
    ports: Mapping[str, int],
    access: Access = _WITHIN,
) -> Manifest:
    """Build the Service; `ports` maps the pods' port names to the Service's numbers."""
    metadata = build_metadata(part.owner, name, build_part_labels(part))
    if access.annotations:
        metadata["annotations"] = dict(access.annotations)
    return {
        "apiVersion": "v1",
        "kind": KIND,
        "metadata": metadata,
        "spec": {
            "type": access.type,
            "selector": build_selector(part.owner, part.component),
            "ports": [
                {"name": port, "port": number, "targetPort": port, "protocol": "TCP"}
                for port, number in ports.items()
            ],
            **_build_affinity(access.affinity_seconds),
            **(_build_balancing(access) if access.type == LOAD_BALANCER else {}),
        },
    }


def _build_affinity(seconds: int | None) -> Manifest:
    if seconds is None:
        return {"sessionAffinity": _NO_AFFINITY}
    # Always written: what the server fills in by itself would stay when the affinity goes.
    config = {"clientIP": {"timeoutSeconds": seconds}}
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": config}


def _build_balancing(access: Access) -> Manifest:
    balancing: Manifest = {"externalTrafficPolicy": access.traffic_policy}
    if access.source_ranges:
        balancing["loadBalancerSourceRanges"] = list(access.source_ranges)
    if access.balancer_class is not None:
        balancing["loadBalancerClass"] = access.balancer_class
    return balancing
