"""Rules of live policies that left the spec, and that pods of a former revision still use.

Only what the operator itself has written is kept up: a rule that somebody added is drift.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from trading_operator.manifests.metadata import COMPONENT, Manifest, build_part_labels, child_name
from trading_operator.manifests.network_policy import build_component_policy, component_peer
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import Ref
from trading_operator.plan.prune import component_of
from trading_operator.plan.sealing import bears_seal_of
from trading_operator.plan.turnover import Turnover


class Edge(NamedTuple):
    """A connection of one component to ports of another one."""

    source: str
    target: str
    ports: tuple[int, ...]


class _Way(NamedTuple):
    """A connection to one port."""

    source: str
    target: str
    port: int


def find_former_edges(
    system: System, drafts: Mapping[str, Draft], turnover: Turnover
) -> tuple[Edge, ...]:
    """Return the edges that are open for components that still run a former revision.

    Both ends say so, and what runs has the port.
    """
    if not turnover.outdated:
        return ()
    leaving, entering = set(_ways(system, "egress")), set(_ways(system, "ingress"))
    wanted = {
        (name, dependency.name)
        for name, draft in drafts.items()
        for dependency in draft.dependencies
    }
    kept = sorted(
        way
        for way in leaving & entering
        if way.source in turnover.outdated
        and (way.source, way.target) not in wanted
        and way.port in _ports(way.target, drafts, turnover)
    )
    return tuple(
        Edge(source, target, tuple(way.port for way in ways))
        for (source, target), ways in groupby(kept, key=lambda way: (way.source, way.target))
    )


def _ports(component: str, drafts: Mapping[str, Draft], turnover: Turnover) -> set[int]:
    planned = drafts[component].ports.values() if component in drafts else ()
    return {*planned, *(number for _, number in turnover.former_ports.get(component, ()))}


def _ways(system: System, direction: str) -> Iterator[_Way]:
    """Yield what the live policies open between components, in one direction."""
    outward = direction == "egress"
    for component, spec in _live_policies(system):
        for rule in spec.get(direction) or ():
            ports = [port["port"] for port in rule.get("ports") or () if _is_numbered(port)]
            for peer in rule.get("to" if outward else "from") or ():
                other = _component_of(system, peer)
                if other is not None:
                    here, there = (component, other) if outward else (other, component)
                    yield from (_Way(here, there, port) for port in ports)


def _live_policies(system: System) -> Iterator[tuple[str, Manifest]]:
    for ref, live in system.observed.children.items():
        if ref.kind != "NetworkPolicy" or ref in system.observed.foreign:
            continue
        component = component_of(live)
        if component is not None and ref.name == child_name(system.owner, component):
            yield component, live["spec"]


def _component_of(system: System, peer: Manifest) -> str | None:
    """Return the component that a peer is, None for any other one."""
    selector = peer.get("podSelector") or {}
    component = (selector.get("matchLabels") or {}).get(COMPONENT)
    known = component is not None and peer == component_peer(system.owner, component)
    return component if known else None


def _is_numbered(port: Manifest) -> bool:
    known = port.keys() == {"protocol", "port"} and port["protocol"] == "TCP"
    return known and isinstance(port["port"], int)


def former_declared(system: System, draft: Draft, turnover: Turnover) -> tuple[Manifest, ...]:
    """Return the destinations outside that a component's live policy opens for its old pods.

    None when the policy is not as the operator wrote it: which rules are its own is not known.
    """
    ref = Ref("NetworkPolicy", draft.part.name)
    live = system.observed.children.get(ref)
    if live is None or draft.name not in turnover.outdated or ref in system.observed.foreign:
        return ()
    rules = tuple(live["spec"].get("egress") or ())
    if not bears_seal_of(live, _as_written(draft, live)):
        return ()
    return tuple(rule for rule in rules if "to" in rule and all("ipBlock" in e for e in rule["to"]))


def _as_written(draft: Draft, live: Manifest) -> Manifest:
    """Return the policy as it was written if nobody has touched it since."""
    spec, labels = live["spec"], live["metadata"].get("labels") or {}
    policy = build_component_policy(draft.part, spec.get("ingress") or (), spec.get("egress") or ())
    # Of another version than the one that is planned now.
    own = {name: labels.get(name) for name in build_part_labels(draft.part)}
    return {**policy, "metadata": {**policy["metadata"], "labels": own}}
