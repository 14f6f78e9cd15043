"""What left the spec and may go. Never data, and never what opens data."""

from collections.abc import Iterable, Mapping

from trading_operator.manifests.metadata import COMPONENT, Manifest
from trading_operator.plan.types import Observed, Owner, Ref

_CONFIG_MAP = "ConfigMap"
_PRUNABLE = frozenset({"Deployment", "StatefulSet", "Service", _CONFIG_MAP, "NetworkPolicy"})


def plan_prune(
    owner: Owner,
    observed: Observed,
    planned: Iterable[Ref],
    held: frozenset[str],
    revisions: Mapping[str, str],
) -> tuple[Ref, ...]:
    """Return the owned children that nothing needs any more.

    `held` names the components that may not change now: what they have stays. `revisions` are the
    planned ones by component: while a pod runs another one, its configs stay.
    """
    keep = {*planned, *_mounted_config_maps(observed, held)}
    outdated = any(revisions.get(pod.component) != pod.revision for pod in observed.pods)
    return tuple(
        sorted(
            ref
            for ref, live in observed.children.items()
            if ref.kind in _PRUNABLE
            and ref not in keep
            and _is_owned(owner, live)
            and _component(live) not in held
            and not (outdated and ref.kind == _CONFIG_MAP)
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
