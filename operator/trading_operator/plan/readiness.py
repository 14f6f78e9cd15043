"""Whether a component serves at the revision that the plan wants."""

from trading_operator.manifests.metadata import REVISION_ANNOTATION, Manifest
from trading_operator.plan.draft import Draft
from trading_operator.plan.types import Observed, PodFacts, Ref


def live_revision(observed: Observed, workload: Ref) -> str | None:
    """Return the revision of the live workload's template; None when there is no workload."""
    live = observed.children.get(workload)
    return None if live is None else template_revision(live)


def template_revision(workload: Manifest) -> str:
    """Return the revision that a workload's template carries, empty when it carries none."""
    metadata = workload["spec"]["template"].get("metadata", {})
    return str((metadata.get("annotations") or {}).get(REVISION_ANNOTATION, ""))


def component_pods(observed: Observed, component: str) -> tuple[PodFacts, ...]:
    """Return the pods of a component."""
    return tuple(pod for pod in observed.pods if pod.component == component)


def ready_pods(observed: Observed, component: str, revision: str) -> int:
    """Count the pods that serve at a revision and are to stay."""
    pods = component_pods(observed, component)
    return sum(pod.ready and not pod.deleting and pod.revision == revision for pod in pods)


def is_ready(observed: Observed, draft: Draft) -> bool:
    """Tell whether all pods of a component serve at the draft's revision."""
    if live_revision(observed, draft.ref) != draft.revision:
        return False
    return ready_pods(observed, draft.name, draft.revision) >= draft.desired


def serves(observed: Observed, draft: Draft) -> bool:
    """Tell whether any pod of a component serves, in whatever revision."""
    pods = component_pods(observed, draft.name)
    return draft.desired == 0 or any(pod.ready and not pod.deleting for pod in pods)
