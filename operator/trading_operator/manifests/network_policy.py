"""NetworkPolicies: nothing is reachable but what the graph says."""

from collections.abc import Sequence

from trading_operator.manifests.metadata import (
    Manifest,
    Owner,
    Part,
    build_metadata,
    build_part_labels,
    build_selector,
    build_system_labels,
    build_system_selector,
)

_DNS_PORT = 53
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def component_peer(owner: Owner, component: str) -> Manifest:
    """Build the peer that is a component of the same system."""
    return {"podSelector": {"matchLabels": build_selector(owner, component)}}


def namespace_peer(namespace: str) -> Manifest:
    """Build the peer that is every pod of a namespace."""
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace}}}


def address_peer(cidr: str) -> Manifest:
    """Build the peer that is an address range."""
    return {"ipBlock": {"cidr": cidr}}


def build_ingress(peers: Sequence[Manifest], ports: Sequence[int]) -> Manifest:
    """Build the rule that lets peers in on ports."""
    return {"from": list(peers), "ports": _build_ports(ports)}


def build_egress(peers: Sequence[Manifest], ports: Sequence[int]) -> Manifest:
    """Build the rule that lets pods out to peers on ports."""
    return {"to": list(peers), "ports": _build_ports(ports)}


def default_deny_name(owner: Owner) -> str:
    """Return the name of the system's own policy; the dot keeps it apart from every component's."""
    return f"{owner.name}.default-deny"


def build_default_deny(owner: Owner) -> Manifest:
    """Build the policy that leaves a system's pods nothing but name resolution."""
    name = default_deny_name(owner)
    dns = [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]
    return {
        **_build_frame(build_metadata(owner, name, build_system_labels(owner))),
        "spec": {
            "podSelector": {"matchLabels": build_system_selector(owner)},
            "policyTypes": ["Ingress", "Egress"],
            # To any address: name servers on the node have no pod that a selector could name.
            "egress": [{"ports": dns}],
        },
    }


def build_component_policy(
    part: Part, ingress: Sequence[Manifest], egress: Sequence[Manifest]
) -> Manifest:
    """Build the policy of one component's edges."""
    spec: Manifest = {
        "podSelector": {"matchLabels": build_selector(part.owner, part.component)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": list(ingress),
        "egress": list(egress),
    }
    return {
        **_build_frame(build_metadata(part.owner, part.name, build_part_labels(part))),
        "spec": {name: value for name, value in spec.items() if value},
    }


def _build_frame(metadata: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
    }


def _build_ports(ports: Sequence[int]) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]
