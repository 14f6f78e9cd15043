"""What left the spec and may go. Never data, and never what opens data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trading_operator.manifests.metadata import COMPONENT, Manifest
from trading_operator.plan.types import WORKLOAD_KINDS, Observed, Owner, Ref

_CONFIG_MAP = "ConfigMap"
_PRUNABLE = frozenset({*WORKLOAD_KINDS, "Service", _CONFIG_MAP, "NetworkPolicy"})


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
    outdated = any(needs.revisions.get(pod.component) != pod.revision for pod in observed.pods)

    def may_go(ref: Ref) -> bool:
        if ref in needs.replaced or ref.kind in needs.unwanted:
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
    references = live["metadata"].get("ownerReferences") or ()
    return any(reference.get("uid") == owner.uid for reference in references)


def _component(live: Manifest) -> str | None:
    labels = live["metadata"].get("labels") or {}
    return labels.get(COMPONENT)


def _mounted_config_maps(observed: Observed, held: frozenset[str]) -> Iterable[Ref]:
    for live in observed.children.values():
        if _component(live) in held and "template" in live.get("spec", {}):
            for volume in live["spec"]["template"]["spec"].get("volumes") or ():
                if "configMap" in volume:
                    yield Ref(_CONFIG_MAP, volume["configMap"]["name"])
