"""What a network plugin makes of NetworkPolicies: is a connection allowed?

Written from the API's own description, as strictly as plugins read it: an address range also
matches the addresses of pods.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from trading_operator.plan.types import Manifest

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Peer:
    """One end of a connection: a pod, or an address outside when it has no namespace."""

    address: str
    labels: Labels = field(default_factory=dict)
    namespace: str = ""

    @property
    def namespace_labels(self) -> Labels:
        """Return the label that every namespace has."""
        return {"kubernetes.io/metadata.name": self.namespace}


@dataclass(frozen=True)
class Connection:
    """A packet from one peer to a port of another."""

    source: Peer
    target: Peer
    port: int
    protocol: str = "TCP"


def is_allowed(policies: Iterable[Manifest], connection: Connection) -> bool:
    """Tell whether both ends let the connection pass."""
    known = list(policies)
    return may_leave(known, connection) and may_enter(known, connection)


def may_leave(policies: Iterable[Manifest], connection: Connection) -> bool:
    """Tell whether the source's policies let the connection out."""
    return _passes(policies, connection, connection.source, connection.target, "Egress")


def may_enter(policies: Iterable[Manifest], connection: Connection) -> bool:
    """Tell whether the target's policies let the connection in."""
    return _passes(policies, connection, connection.target, connection.source, "Ingress")


def _passes(
    policies: Iterable[Manifest], connection: Connection, subject: Peer, other: Peer, way: str
) -> bool:
    specs = [policy["spec"] for policy in policies if _selects(policy, subject, way)]
    if not specs:
        return True  # a pod that no policy selects is open
    return any(_matches(rule, connection, subject, other) for rule in _rules(specs, way))


def _selects(policy: Manifest, subject: Peer, way: str) -> bool:
    spec = policy["spec"]
    return (
        bool(subject.namespace)
        and policy["metadata"]["namespace"] == subject.namespace
        and way in spec["policyTypes"]
        and _select(spec["podSelector"], subject.labels)
    )


def _rules(specs: Iterable[Manifest], way: str) -> Iterator[Manifest]:
    for spec in specs:
        for rule in spec.get(way.lower(), ()):
            yield {"peers": rule.get("to" if way == "Egress" else "from"), "ports": rule["ports"]}


def _matches(rule: Manifest, connection: Connection, subject: Peer, other: Peer) -> bool:
    peers = rule["peers"]
    return any(_is_port(port, connection) for port in rule["ports"]) and (
        peers is None or any(_is_peer(peer, subject, other) for peer in peers)
    )


def _is_port(port: Manifest, connection: Connection) -> bool:
    assert isinstance(port["port"], int), "names of ports are not evaluated here"
    return (port["protocol"], port["port"]) == (connection.protocol, connection.port)


def _is_peer(peer: Manifest, subject: Peer, other: Peer) -> bool:
    if "ipBlock" in peer:
        assert peer.keys() == {"ipBlock"}, "an address range stands alone"
        block = peer["ipBlock"]
        inside = _contains(block["cidr"], other.address)
        return inside and not any(
            _contains(each, other.address) for each in block.get("except", ())
        )
    assert peer.keys() <= {"podSelector", "namespaceSelector"}
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        if not _select(peer["namespaceSelector"], other.namespace_labels):
            return False
    elif other.namespace != subject.namespace:
        return False
    return _select(peer.get("podSelector", {}), other.labels)


def _select(selector: Manifest, labels: Labels) -> bool:
    assert selector.keys() <= {"matchLabels"}, "expressions are not evaluated here"
    wanted: Labels = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def _contains(cidr: str, address: str) -> bool:
    return ip_address(address) in ip_network(cidr)
