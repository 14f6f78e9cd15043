"""NetworkPolicies: nothing is reachable but what the graph says."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from trading_operator.manifests.metadata import (
    JOB_ROLE,
    OPERATOR_ROLE,
    ROLE,
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
# The cluster's own name servers carry this label in every distribution of it.
_DNS_NAMESPACE = "kube-system"
_DNS_LABELS = {"k8s-app": "kube-dns"}
# Where a cache on the node answers unless somebody moved it; the node's address is no pod.
_NODE_DNS = "169.254.20.10"
# Clouds hand out the node's credentials here: who says "the Internet" does not mean them.
_LINK_LOCAL: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("169.254.0.0/16"),
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::254/128"),
)


def component_peer(owner: Owner, component: str) -> Manifest:
    """Build the peer that is a component of the same system."""
    return {"podSelector": {"matchLabels": build_selector(owner, component)}}


def job_peer(owner: Owner) -> Manifest:
    """Build the peer that is every Job of the same system: backups, training, drills."""
    return {"podSelector": {"matchLabels": {**build_system_selector(owner), ROLE: JOB_ROLE}}}


def namespace_peer(namespace: str) -> Manifest:
    """Build the peer that is every pod of a namespace."""
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace}}}


def operator_peer(namespace: str) -> Manifest:
    """Build the peer that is the operator itself: others may live in its namespace."""
    return {**namespace_peer(namespace), "podSelector": {"matchLabels": {ROLE: OPERATOR_ROLE}}}


def address_peer(cidr: str) -> Manifest:
    """Build the peer that is an address range; raises ValueError for what is none.

    A range that is wider than the link-local addresses leaves them out.
    """
    wide = ip_network(cidr, strict=False)
    left_out = [str(inner) for inner in _LINK_LOCAL if _is_strictly_within(inner, wide)]
    return {"ipBlock": {"cidr": cidr} | ({"except": left_out} if left_out else {})}


def build_ingress(peers: Sequence[Manifest], ports: Sequence[int]) -> Manifest:
    """Build the rule that lets peers in on ports."""
    return {"from": list(peers), "ports": _build_ports(ports)}


def build_open_ingress(ports: Sequence[int]) -> Manifest:
    """Build the rule that lets everybody in on ports."""
    return {"ports": _build_ports(ports)}


def build_egress(peers: Sequence[Manifest], ports: Sequence[int]) -> Manifest:
    """Build the rule that lets pods out to peers on ports."""
    return {"to": list(peers), "ports": _build_ports(ports)}


def default_deny_name(owner: Owner) -> str:
    """Return the name of the system's own policy; the dot keeps it apart from every component's."""
    return f"{owner.name}.default-deny"


def build_default_deny(owner: Owner, name_servers: Iterable[str]) -> Manifest:
    """Build the policy that leaves a system's pods nothing but name resolution.

    `name_servers` are addresses of the cluster's own; none means that they are not known, and
    every address may be asked.
    """
    name = default_deny_name(owner)
    ports = [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]
    peers = list(_name_server_peers(name_servers))
    return {
        **_build_frame(build_metadata(owner, name, build_system_labels(owner))),
        "spec": {
            "podSelector": {"matchLabels": build_system_selector(owner)},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [{"to": peers, "ports": ports} if peers else {"ports": ports}],
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


def _name_server_peers(name_servers: Iterable[str]) -> Iterator[Manifest]:
    addresses = tuple(name_servers)
    if not addresses:
        return
    yield {**namespace_peer(_DNS_NAMESPACE), "podSelector": {"matchLabels": _DNS_LABELS}}
    # A cache on the node answers under its own address or under that of the cluster's Service;
    # neither is a pod that a selector could name.
    for address in sorted({_NODE_DNS, *addresses}):
        yield {"ipBlock": {"cidr": str(ip_network(ip_address(address)))}}


def _is_strictly_within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner != outer and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner != outer and inner.subnet_of(outer)


def _build_frame(metadata: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
    }


def _build_ports(ports: Sequence[int]) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]
