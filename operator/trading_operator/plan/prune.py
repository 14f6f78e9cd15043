"""What left the spec and may go. Never data, and never what opens data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trading_operator.manifests.controller_revision import KIND as REVISION
from trading_operator.manifests.metadata import COMPONENT, Manifest
from trading_operator.plan.stored_revision import (
    config_maps_of,
    mounted_config_maps,
    plan_history,
)
from trading_operator.plan.types import WORKLOAD_KINDS, Observed, Owner, Ref

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
    workloads that give way to one of another kind; `unwanted` are kinds of which none is wanted.
    """

    held: frozenset[str]
    settled: bool
    revisions: Mapping[str, str]
    replaced: frozenset[Ref] = frozenset()
    unwanted: frozenset[str] = frozenset()


def plan_prune(
    owner: Owner,
    observed: Observed,
    planned: Iterable[Ref],
    needs: Needed,
) -> tuple[Ref, ...]:
    """Return the owned children that nothing needs any more."""
    keep = {*planned, *_mounted_config_maps(observed, needs.held)}
    active = next((ref.name for ref in keep if ref.kind == REVISION), "")
    history = plan_history(observed, active)
    keep |= {Ref(REVISION, each.name) for each in history}
    if any(ref.kind == _CONFIG_MAP and ref not in keep for ref in observed.children):
        # What was kept of the past may be gone back to.
        keep |= {Ref(_CONFIG_MAP, name) for each in history for name in config_maps_of(each)}
    outdated = any(needs.revisions.get(pod.component) != pod.revision for pod in observed.pods)
    running = {pod.component for pod in observed.pods}

    def may_go(ref: Ref) -> bool:
        if ref in needs.replaced or ref.kind in needs.unwanted:
            return True
        if ref.kind in _EXTRAS:
            return component_of(observed.children[ref]) not in needs.held
        if ref.kind == _NETWORK_POLICY and component_of(observed.children[ref]) in running:
            return False  # what ends may need its connections to end well
        if ref.kind == REVISION:
            return True
        return not outdated if ref.kind == _CONFIG_MAP else needs.settled

    return tuple(
        sorted(
            ref
            for ref, live in observed.children.items()
            if ref.kind in _PRUNABLE and ref not in keep and _is_owned(owner, live) and may_go(ref)
        )
    )


def _is_owned(owner: Owner, live: Manifest) -> bool:
    # Of an object that names the system as one owner of several, somebody else decides.
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
