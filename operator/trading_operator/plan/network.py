"""NetworkPolicies: the edges of the graph, name resolution, declared egress, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from trading_operator.api.service import Service
from trading_operator.api.sharing import Isolation
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.network_policy import (
    address_peer,
    build_component_policy,
    build_default_deny,
    build_egress,
    build_ingress,
    component_peer,
    namespace_peer,
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
    return (build_default_deny(system.owner), *policies)


def _plan_component(
    system: System, draft: Draft, drafts: Mapping[str, Draft], keep_live: bool
) -> Manifest:
    ingress = tuple(_ingress(system, draft, drafts.values()))
    egress = (*_edges(system, draft, drafts), *_declared(system.components[draft.name]))
    live = system.observed.children.get(Ref("NetworkPolicy", draft.part.name), {})
    rules = live.get("spec", {}) if keep_live else {}
    return build_component_policy(
        draft.part,
        (*ingress, *(rule for rule in rules.get("ingress", ()) if rule not in ingress)),
        (*egress, *(rule for rule in rules.get("egress", ()) if rule not in egress)),
    )


def _ingress(system: System, draft: Draft, drafts: Iterable[Draft]) -> Iterator[Manifest]:
    ports = tuple(draft.ports.values())
    dependants = [
        component_peer(system.owner, other.name)
        for other in drafts
        if any(dependency.name == draft.name for dependency in other.dependencies)
    ]
    watchers = [namespace_peer(name) for name in _watching_namespaces(system)]
    peers = dependants + (watchers if draft.kind == SERVICE else [])
    if ports and peers:
        yield build_ingress(peers, ports)


def _watching_namespaces(system: System) -> Sequence[str]:
    # The operator asks services for their health and state; scrapers come from where they are.
    own = (system.operand.operator_namespace,)
    names = (*own, *system.spec.network.monitoring_namespaces)
    return tuple(dict.fromkeys(filter(None, names)))


def _edges(system: System, draft: Draft, drafts: Mapping[str, Draft]) -> Iterator[Manifest]:
    for dependency in draft.dependencies:
        ports = tuple(drafts[dependency.name].ports.values())
        if ports:
            yield build_egress([component_peer(system.owner, dependency.name)], ports)


def _declared(component: object) -> Iterator[Manifest]:
    if isinstance(component, Service):
        for egress in component.egress:
            yield build_egress([address_peer(egress.cidr)], egress.ports)
