"""What runs and is not as planned: it may still use what left the spec."""

from collections.abc import Mapping, Sequence

from trading_operator.plan.decision import Decision
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.prune import component_of
from trading_operator.plan.readiness import template_revision
from trading_operator.plan.types import WORKLOAD_KINDS


def leaves(system: System, drafts: Mapping[str, Draft]) -> bool:
    """Tell whether anything runs that left the spec: it may need its connections to end well."""
    observed = system.observed
    workloads = (ref for ref in observed.children if ref.kind in WORKLOAD_KINDS)
    parts = (pod.component for pod in observed.pods if pod.component)  # Jobs are no component
    return any(part not in drafts for part in parts) or any(
        component_of(observed.children[ref]) not in drafts for ref in workloads
    )


def changes(system: System, decisions: Sequence[Decision]) -> bool:
    """Tell whether anything runs that is not as planned, and may use what left the spec."""
    planned = {each.draft.ref: each.draft.revision for each in decisions}
    pods = {each.draft.name: each.draft.revision for each in decisions}
    observed = system.observed
    return (
        any(each.running and not each.goes for each in decisions)
        or any(pods.get(pod.component) != pod.revision for pod in observed.pods)
        or any(
            planned.get(ref) != template_revision(live)
            for ref, live in observed.children.items()
            if ref.kind in WORKLOAD_KINDS
        )
    )
