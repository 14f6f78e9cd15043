"""Components that left the spec: they end once nothing uses them any more."""

from collections.abc import Mapping

from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.prune import component_of, is_controlled
from trading_operator.plan.readiness import may_run, template_revision
from trading_operator.plan.stopping import left_in_turn
from trading_operator.plan.types import WORKLOAD_KINDS
from trading_operator.plan.volumes import has_data


def plan_leaving(system: System, drafts: Mapping[str, Draft], *, settled: bool) -> tuple[Ref, ...]:
    """Return the workloads that left the spec and whose turn to go has come.

    It has when the components of the spec run the templates that know nothing of them, healthy or
    not, and when nothing that left the spec as well may still use them. A database does nothing by
    itself and stays until all is `settled`: the way back is short.
    """
    observed = system.observed
    if not _is_turned_over(observed, drafts):
        return ()
    found = ((ref, observed.children[ref]) for ref in left_in_turn(drafts, observed))
    return tuple(
        ref
        for ref, live in found
        if is_controlled(system.owner, live) and (settled or not has_data(live))
    )


def find_left(system: System, drafts: Mapping[str, Draft]) -> tuple[str, ...]:
    """Return the components that left the spec and whose workloads are still there."""
    controlled = {
        component_of(live) or ref.name
        for ref, live in system.observed.children.items()
        if ref.kind in WORKLOAD_KINDS and is_controlled(system.owner, live)
    }
    return tuple(sorted(controlled - drafts.keys()))


def _is_turned_over(observed: Observed, drafts: Mapping[str, Draft]) -> bool:
    pods = (
        drafts[pod.component].revision == pod.revision
        for pod in filter(may_run, observed.pods)
        if pod.component in drafts
    )
    templates = (
        drafts[component].revision == template_revision(live)
        for ref, live in observed.children.items()
        if ref.kind in WORKLOAD_KINDS and (component := component_of(live) or "") in drafts
    )
    return all(pods) and all(templates)
