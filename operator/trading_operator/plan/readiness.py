"""Whether a component serves at the revision that the plan wants."""

import re

from trading_operator.manifests.metadata import REVISION_ANNOTATION, Manifest
from trading_operator.plan.draft import Draft
from trading_operator.plan.observed import Observed, PodFacts, Ref
from trading_operator.plan.types import ComponentPlan

_OVER = frozenset({"Succeeded", "Failed"})  # phases in which no container runs any more


def live_revision(observed: Observed, workload: Ref) -> str | None:
    """Return the revision of the live workload's template; None when there is no workload."""
    live = observed.children.get(workload)
    return None if live is None else template_revision(live)


def template_revision(workload: Manifest) -> str:
    """Return the revision that a workload's template carries, empty when it carries none."""
    metadata = workload["spec"]["template"].get("metadata", {})
    return str((metadata.get("annotations") or {}).get(REVISION_ANNOTATION, ""))


def may_run(pod: PodFacts) -> bool:
    """Tell whether a pod is a component's and a container of it may still run.

    Jobs are no component, and what is left of a pod that ended or was evicted holds up nobody.
    """
    return bool(pod.component) and (pod.deleting or pod.phase not in _OVER)


def component_pods(observed: Observed, component: str) -> tuple[PodFacts, ...]:
    """Return the pods of a component."""
    return tuple(pod for pod in observed.pods if pod.component == component)


def orphans(observed: Observed, workload: Ref, component: str) -> tuple[PodFacts, ...]:
    """Return the pods that a deleted StatefulSet left behind, for the next one to take over."""
    if workload in observed.children:
        return ()
    return tuple(
        pod
        for pod in component_pods(observed, component)
        if not pod.controlled and not pod.deleting and is_ordinal(workload.name, pod.name)
    )


def is_ordinal(workload: str, pod: str) -> bool:
    """Tell whether a pod has the name that a StatefulSet of this name gives to its pods."""
    return re.fullmatch(rf"{re.escape(workload)}-[0-9]+", pod) is not None


def ready_pods(observed: Observed, component: str, revision: str) -> int:
    """Count the pods that serve at a revision and are to stay."""
    pods = component_pods(observed, component)
    return sum(pod.ready and not pod.deleting and pod.revision == revision for pod in pods)


def is_ready(observed: Observed, draft: Draft) -> bool:
    """Tell whether all pods of a component serve at the draft's revision."""
    if live_revision(observed, draft.ref) != draft.revision:
        return False
    return ready_pods(observed, draft.name, draft.revision) >= pods_needed(observed, draft)


def pods_needed(observed: Observed, draft: Draft) -> int:
    """Return how many pods must serve for a component to count as Ready.

    Of an autoscaled one the fewest will do: more are on their way whenever its load rises. While
    it is being changed, all must.
    """
    if draft.least is None or _is_changing(observed, draft):
        return draft.desired
    return min(draft.least, draft.desired)


def _is_changing(observed: Observed, draft: Draft) -> bool:
    pods = filter(may_run, component_pods(observed, draft.name))
    return any(pod.revision != draft.revision for pod in pods)


def serves(observed: Observed, component: Draft | ComponentPlan) -> bool:
    """Tell whether any pod of a component serves, in whatever revision."""
    pods = component_pods(observed, component.name)
    return component.desired == 0 or any(pod.ready and not pod.deleting for pod in pods)
