"""NetworkPolicies: nothing is reachable but what the graph says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
# Where a cache on the node answers unless somebody moved it; the node's address is no pod.
_NODE_DNS = "169.254.20.10"
# Clouds hand out the node's credentials here: who says "the Internet" does not mean them.
_LINK_LOCAL: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("169.254.0.0/16"),
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::254/128"),
)


@dataclass(frozen=True)
class NameServers:
    """Whom a system's pods may ask for names: pods, and addresses that are no pods.

    No `addresses`: those of the cluster are not known, and every address may be asked. The
    defaults are those of most clusters, and `ports` those of all: policies see the port that the
    pod itself listens on, which is 5353 where name servers run without rights (OpenShift).
    """

    addresses: tuple[str, ...] = ()
    namespace: str = "kube-system"
    labels: Mapping[str, str] = field(default_factory=lambda: {"k8s-app": "kube-dns"})
    ports: tuple[int, ...] = (53, 5353)


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


def build_default_deny(owner: Owner, servers: NameServers) -> Manifest:
    """Build the policy that leaves a system's pods nothing but name resolution."""
    name = default_deny_name(owner)
    return {
        **_build_frame(build_metadata(owner, name, build_system_labels(owner))),
        "spec": {
            "podSelector": {"matchLabels": build_system_selector(owner)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],  # said, or what somebody adds would be nobody's business
            "egress": [build_name_resolution(servers)],
        },
    }


def build_name_resolution(servers: NameServers) -> Manifest:
    """Build the rule that lets pods ask for names."""
    ports = [
        {"protocol": protocol, "port": port}
        for port in servers.ports
        for protocol in ("UDP", "TCP")
    ]
    peers = list(_name_server_peers(servers))
    return {"to": peers, "ports": ports} if peers else {"ports": ports}


def build_component_policy(
    part: Part, ingress: Sequence[Manifest], egress: Sequence[Manifest]
) -> Manifest:
    """Build the policy of one component's edges."""
    return {
        **_build_frame(build_metadata(part.owner, part.name, build_part_labels(part))),
        "spec": {
            "podSelector": {"matchLabels": build_selector(part.owner, part.component)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": list(ingress),
            "egress": list(egress),
        },
    }


def build_job_policy(
    metadata: Manifest,
    selector: Mapping[str, str],
    ingress: Sequence[Manifest],
    egress: Sequence[Manifest],
) -> Manifest:
    """Build the policy of Jobs' pods."""
    return {
        **_build_frame(metadata),
        "spec": {
            "podSelector": {"matchLabels": dict(selector)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": list(ingress),
            "egress": list(egress),
        },
    }


def _name_server_peers(servers: NameServers) -> Iterator[Manifest]:
    if not servers.addresses:
        return
    pods = {"podSelector": {"matchLabels": dict(servers.labels)}}
    yield {**namespace_peer(servers.namespace), **pods}
    # A cache on the node answers under its own address or under that of the cluster's Service;
    # neither is a pod that a selector could name.
    for address in sorted({_NODE_DNS, *servers.addresses}):
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
