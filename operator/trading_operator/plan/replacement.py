"""Replacing the pods of StatefulSets: the operator does it itself, at the component's turn."""

from collections.abc import Iterable, Iterator, Mapping

from trading_operator.api.reasons import REPLACING_WORKLOAD
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import Observed, PodFacts, Ref
from trading_operator.plan.readiness import (
    component_pods,
    is_ordinal,
    is_ready,
    live_revision,
    may_run,
    orphans,
)
from trading_operator.plan.types import STATEFUL_SET, WORKLOAD_KINDS, Block


def pods_to_replace(
    observed: Observed, going: Iterable[Draft], drafts: Mapping[str, Draft]
) -> Iterator[str]:
    """Yield the pods that run another template though their StatefulSet has the planned one.

    The template may have been written long ago, before a restart: an old pod stays until what it
    requires is Ready again.
    """
    for draft in going:
        if draft.ref.kind != STATEFUL_SET or not _has_caught_up(observed, draft):
            continue
        required = (drafts[each.name] for each in draft.dependencies if each.required)
        if all(is_ready(observed, needed) for needed in required):
            pods = component_pods(observed, draft.name)
            yield from (
                pod.name
                for pod in pods
                # A pod of another name wears our labels and is somebody else's.
                if (pod.revision != draft.revision or _was_made_otherwise(observed, draft, pod))
                and not pod.deleting
                and is_ordinal(draft.ref.name, pod.name)
            )


def abandoned_pods(observed: Observed, staying: Iterable[Draft]) -> Iterator[str]:
    """Yield the pods that a StatefulSet left behind and that none will take over.

    It was deleted to be made anew, and before it was, the spec changed: its component left or
    stops, or is a Deployment now.
    """
    wanted = {draft.ref.name for draft in staying if draft.ref.kind == STATEFUL_SET}
    for pod in observed.pods:
        workload = pod.name.rpartition("-")[0]
        ref = Ref(STATEFUL_SET, workload)
        if pod.revision and workload not in wanted and pod in orphans(observed, ref, pod.component):
            yield pod.name


def _has_caught_up(observed: Observed, draft: Draft) -> bool:
    """Tell whether the controller knows the new template: before, it would make an old pod."""
    if live_revision(observed, draft.ref) != draft.revision:
        return False
    live = observed.children[draft.ref]
    seen = live.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= live["metadata"].get("generation", 0))


def _was_made_otherwise(observed: Observed, draft: Draft, pod: PodFacts) -> bool:
    """Tell whether a pod was made while somebody had changed the template."""
    wanted = observed.children[draft.ref].get("status", {}).get("updateRevision", "")
    return bool(wanted and pod.template and pod.template != wanted)


def previous_workload(system: System, draft: Draft) -> Ref | None:
    """Return the live workload of another kind that a component had before its type changed."""
    for kind in WORKLOAD_KINDS:
        ref = Ref(kind, draft.ref.name)
        if ref != draft.ref and ref in system.observed.children:
            return ref
    return None


def find_replacement_block(system: System, draft: Draft) -> Block | None:
    """Return why a component waits for its former workload: a single writer never runs twice."""
    before = previous_workload(system, draft)
    if before is not None:
        return Block(REPLACING_WORKLOAD, f"waits until the former {before.kind} is gone")
    live = system.observed.children.get(draft.ref)
    if live is not None and live["spec"].get("replicas", 1):
        return None
    stateful = draft.ref.kind == STATEFUL_SET
    for pod in filter(may_run, component_pods(system.observed, draft.name)):
        single = is_ordinal(draft.ref.name, pod.name)
        if stateful and single and (live is not None or not pod.deleting):
            # Its name is the next one's too, so that there are never two: it is taken over, or
            # its StatefulSet is only out of sight because somebody took the labels off.
            continue
        if stateful or single:
            return Block(REPLACING_WORKLOAD, f"waits until the former pod {pod.name} is gone")
    return None
