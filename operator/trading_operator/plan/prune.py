"""What left the spec and may go. Never data, and never what opens data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trading_operator.manifests.controller_revision import KIND as REVISION
from trading_operator.manifests.metadata import COMPONENT, Manifest
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.readiness import may_run
from trading_operator.plan.stored_revision import (
    config_maps_of,
    mounted_config_maps,
    plan_history,
)
from trading_operator.plan.types import WORKLOAD_KINDS, Owner

_CONFIG_MAP = "ConfigMap"
_NETWORK_POLICY = "NetworkPolicy"
# They act on a workload or lead to it: one that left the spec would work against what is there.
_EXTRAS = frozenset({"HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"})
_PRUNABLE = frozenset(
    {*WORKLOAD_KINDS, *_EXTRAS, "Service", _CONFIG_MAP, _NETWORK_POLICY, REVISION}
)


@dataclass(frozen=True)
class Needed:
    """What decides whether a child that left the plan may go.

    `held` names the components that may not change now. `settled` tells that every component
    serves as planned: before, something that runs may still use what left the spec. `revisions`
    are the planned ones by component: while a pod runs another one, configs stay. `replaced` are
    workloads that give way to one of another kind, `leaving` those of components that left the
    spec and whose turn has come; `unwanted` are kinds of which none is wanted; `history` names the
    revisions that are needed whatever their age.
    """

    held: frozenset[str]
    settled: bool
    revisions: Mapping[str, str]
    replaced: frozenset[Ref] = frozenset()
    leaving: frozenset[Ref] = frozenset()
    unwanted: frozenset[str] = frozenset()
    history: frozenset[str] = frozenset()  # names of the revisions that must stay


def plan_prune(
    owner: Owner,
    observed: Observed,
    planned: Iterable[Ref],
    needs: Needed,
) -> tuple[Ref, ...]:
    """Return the owned children that nothing needs any more."""
    keep = {*planned, *_mounted_config_maps(observed, needs.held)}
    history = plan_history(observed, needs.history)
    keep |= {Ref(REVISION, each.name) for each in history}
    if any(ref.kind == _CONFIG_MAP and ref not in keep for ref in observed.children):
        # What was kept of the past may be gone back to.
        keep |= {Ref(_CONFIG_MAP, name) for each in history for name in config_maps_of(each)}
    may_go = _find_users(observed, needs).may_go
    return tuple(
        sorted(
            ref
            for ref, live in observed.children.items()
            if ref.kind in _PRUNABLE and ref not in keep and is_controlled(owner, live)
            if may_go(ref, component_of(live), needs)
        )
    )


@dataclass(frozen=True)
class _Users:
    """What may still use what left the plan.

    `running` are the components with a pod, `staying` those that left the spec and end later;
    `outdated` tells that a pod runs another revision than the planned one.
    """

    running: frozenset[str]
    staying: frozenset[str | None]
    outdated: bool

    def may_go(self, ref: Ref, component: str | None, needs: Needed) -> bool:
        """Tell whether nothing needs an object that left the plan."""
        if ref.kind in needs.unwanted or ref.kind == REVISION:
            return True
        if ref.kind in WORKLOAD_KINDS:
            return ref in needs.replaced or ref in needs.leaving
        if ref.kind in _EXTRAS:
            return component not in needs.held
        if ref.kind == _CONFIG_MAP:
            return not self.outdated
        # What ends, and what ends before it, may need its connections to end well.
        used = self.running if ref.kind == _NETWORK_POLICY else self.staying
        return needs.settled and component not in used


def _find_users(observed: Observed, needs: Needed) -> _Users:
    pods = tuple(filter(may_run, observed.pods))
    workloads = (
        component_of(live)
        for ref, live in observed.children.items()
        if ref.kind in WORKLOAD_KINDS and ref not in needs.leaving
    )
    return _Users(
        running=frozenset(pod.component for pod in pods),
        staying=frozenset(workloads) - needs.revisions.keys(),
        outdated=any(needs.revisions.get(pod.component) != pod.revision for pod in pods),
    )


def is_controlled(owner: Owner, live: Manifest) -> bool:
    """Tell whether the system alone decides about an object.

    Of one that names the system as one owner of several, somebody else decides.
    """
    references = live["metadata"].get("ownerReferences") or ()
    return any(each.get("uid") == owner.uid and each.get("controller") for each in references)


def component_of(live: Manifest) -> str | None:
    """Return the component that a child belongs to."""
    labels = live["metadata"].get("labels") or {}
    return labels.get(COMPONENT)


def _mounted_config_maps(observed: Observed, held: frozenset[str]) -> Iterable[Ref]:
    for live in observed.children.values():
        if component_of(live) in held and "template" in live.get("spec", {}):
            for name in mounted_config_maps(live["spec"]["template"]):
                yield Ref(_CONFIG_MAP, name)
