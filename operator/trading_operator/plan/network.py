"""NetworkPolicies: the edges of the graph, name resolution, declared egress, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.exposure import ServiceType
from trading_operator.api.service import Service
from trading_operator.api.sharing import Egress, Isolation
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.network_policy import (
    address_peer,
    build_component_policy,
    build_default_deny,
    build_egress,
    build_ingress,
    build_open_ingress,
    component_peer,
    job_peer,
    namespace_peer,
    operator_peer,
)
from trading_operator.plan.draft import SERVICE, Draft, System
from trading_operator.plan.former_rules import Edge, find_former_edges, former_declared
from trading_operator.plan.turnover import Turnover, find_turnover


@dataclass(frozen=True)
class _Graph:
    """Who is reached on which ports; `former` are edges that only old pods still use."""

    drafts: Mapping[str, Draft]
    turnover: Turnover
    former: Sequence[Edge]

    def ports(self, component: str) -> dict[int, str]:
        """Return the ports of a component by number: the planned ones, then those of old pods."""
        planned = {number: name for name, number in self.drafts[component].ports.items()}
        before = sorted(self.turnover.former_ports.get(component, ()), key=lambda port: port[1])
        return planned | {number: name for name, number in before if number not in planned}


def plan_network(system: System, drafts: Mapping[str, Draft]) -> tuple[Manifest, ...]:
    """Return the policies of the whole system, none when isolation is off.

    What left the spec is closed at once, but for what pods of a former revision still use.
    """
    if system.spec.network.isolation is Isolation.OFF:
        return ()
    turnover = find_turnover(system, drafts)
    graph = _Graph(drafts, turnover, find_former_edges(system, drafts, turnover))
    policies = (_plan_component(system, draft, graph) for draft in drafts.values())
    return (build_default_deny(system.owner, system.operand.name_servers), *policies)


def _plan_component(system: System, draft: Draft, graph: _Graph) -> Manifest:
    declared = tuple(_declared(system, draft))
    before = former_declared(system, draft, graph.turnover)
    egress = (*_edges(system, draft, graph), *declared)
    return build_component_policy(
        draft.part,
        tuple(_ingress(system, draft, graph)),
        (*egress, *(rule for rule in before if rule not in declared)),
    )


def _ingress(system: System, draft: Draft, graph: _Graph) -> Iterator[Manifest]:
    ports = graph.ports(draft.name)
    if not ports:
        return
    component = system.components[draft.name]
    if isinstance(component, Service):
        yield from _exposed(system, component, ports)
    dependants = [
        component_peer(system.owner, other.name)
        for other in graph.drafts.values()
        if any(dependency.name == draft.name for dependency in other.dependencies)
    ]
    watchers = list(_watchers(system)) if draft.kind == SERVICE else []
    yield build_ingress([*dependants, job_peer(system.owner), *watchers], list(ports))
    for edge in graph.former:
        if edge.target == draft.name:
            yield build_ingress([component_peer(system.owner, edge.source)], edge.ports)


def _exposed(system: System, service: Service, ports: Mapping[int, str]) -> Iterator[Manifest]:
    """Yield what lets in the world: what stands before the pods decides whom it passes on."""
    if service.exposure.type is ServiceType.LOAD_BALANCER:
        yield build_open_ingress(list(ports))
    if service.ingress is not None:
        wanted = service.ingress.port or service.ports[0].name
        numbers = [number for number, name in ports.items() if name == wanted]
        peers = list(map(namespace_peer, system.spec.network.ingress_namespaces))
        yield build_ingress(peers, numbers) if peers else build_open_ingress(numbers)


def _watchers(system: System) -> Iterator[Manifest]:
    # The operator asks services for their health and state; scrapers come from where they are.
    if system.operand.operator_namespace:
        yield operator_peer(system.operand.operator_namespace)
    yield from map(namespace_peer, dict.fromkeys(system.spec.network.monitoring_namespaces))


def _edges(system: System, draft: Draft, graph: _Graph) -> Iterator[Manifest]:
    for dependency in draft.dependencies:
        if ports := graph.ports(dependency.name):
            yield build_egress([component_peer(system.owner, dependency.name)], list(ports))
    for edge in graph.former:
        if edge.source == draft.name:
            yield build_egress([component_peer(system.owner, edge.target)], edge.ports)


def _declared(system: System, draft: Draft) -> Iterator[Manifest]:
    component = system.components[draft.name]
    if isinstance(component, Service):
        for at, egress in enumerate(component.egress):
            yield _build_declared(egress, f"{draft.path}.egress[{at}].cidr")


def _build_declared(egress: Egress, path: str) -> Manifest:
    try:
        peer = address_peer(egress.cidr)
    except ValueError:
        raise InvalidSpecError(
            path, f"{egress.cidr} is no address range", "write one as in 203.0.113.0/24"
        ) from None
    return build_egress([peer], egress.ports)
