"""NetworkPolicies: the edges of the graph, name resolution, declared egress, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping

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
from trading_operator.plan.types import Ref


def plan_network(
    system: System, drafts: Mapping[str, Draft], keep_live: bool
) -> tuple[Manifest, ...]:
    """Return the policies of the whole system, none when isolation is off.

    With `keep_live` what is open stays open: something still runs that was made for it.
    """
    if system.spec.network.isolation is Isolation.OFF:
        return ()
    policies = (_plan_component(system, draft, drafts, keep_live) for draft in drafts.values())
    return (build_default_deny(system.owner, system.operand.name_servers), *policies)


def _plan_component(
    system: System, draft: Draft, drafts: Mapping[str, Draft], keep_live: bool
) -> Manifest:
    ingress = tuple(_ingress(system, draft, drafts.values()))
    egress = (*_edges(system, draft, drafts), *_declared(system, draft))
    live = system.observed.children.get(Ref("NetworkPolicy", draft.part.name), {})
    rules = live.get("spec", {}) if keep_live else {}
    return build_component_policy(
        draft.part,
        (*ingress, *(rule for rule in rules.get("ingress", ()) if rule not in ingress)),
        (*egress, *(rule for rule in rules.get("egress", ()) if rule not in egress)),
    )


def _ingress(system: System, draft: Draft, drafts: Iterable[Draft]) -> Iterator[Manifest]:
    ports = tuple(draft.ports.values())
    if not ports:
        return
    component = system.components[draft.name]
    if isinstance(component, Service):
        yield from _exposed(system, component)
    dependants = [
        component_peer(system.owner, other.name)
        for other in drafts
        if any(dependency.name == draft.name for dependency in other.dependencies)
    ]
    watchers = list(_watchers(system)) if draft.kind == SERVICE else []
    yield build_ingress([*dependants, job_peer(system.owner), *watchers], ports)


def _exposed(system: System, service: Service) -> Iterator[Manifest]:
    """Yield what lets in the world: what stands before the pods decides whom it passes on."""
    if service.exposure.type is ServiceType.LOAD_BALANCER:
        yield build_open_ingress([port.port for port in service.ports])
    if service.ingress is not None:
        wanted = service.ingress.port or service.ports[0].name
        ports = [port.port for port in service.ports if port.name == wanted]
        peers = list(map(namespace_peer, system.spec.network.ingress_namespaces))
        yield build_ingress(peers, ports) if peers else build_open_ingress(ports)


def _watchers(system: System) -> Iterator[Manifest]:
    # The operator asks services for their health and state; scrapers come from where they are.
    if system.operand.operator_namespace:
        yield operator_peer(system.operand.operator_namespace)
    yield from map(namespace_peer, dict.fromkeys(system.spec.network.monitoring_namespaces))


def _edges(system: System, draft: Draft, drafts: Mapping[str, Draft]) -> Iterator[Manifest]:
    for dependency in draft.dependencies:
        ports = tuple(drafts[dependency.name].ports.values())
        if ports:
            yield build_egress([component_peer(system.owner, dependency.name)], ports)


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
