"""Hibernation: no pods, and everything else kept; autoscaled components wake with their count."""

import re
from collections.abc import Mapping
from dataclasses import replace

from trading_operator.manifests.metadata import RESUME_ANNOTATION, Manifest
from trading_operator.plan.decision import Decision
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.gating import Gate
from trading_operator.plan.readiness import template_revision
from trading_operator.plan.replacement import previous_workload
from trading_operator.plan.stopping import Stopping, stopped_workload


def plan_waking(system: System, drafts: Mapping[str, Draft]) -> Mapping[str, Draft]:
    """Return the drafts with the counts that autoscaled components had before they hibernated."""
    return {name: _wake(system, draft) for name, draft in drafts.items()}


def decide_stops(
    system: System, drafts: Mapping[str, Draft], stopping: Stopping
) -> tuple[Decision, ...]:
    """Decide for each component whether it stops now; what never started stays away."""
    return tuple(_decide_stop(system, draft, stopping) for draft in drafts.values())


def _decide_stop(system: System, draft: Draft, stopping: Stopping) -> Decision:
    block = stopping.blocks.get(draft.name)
    workload = stopped_workload(draft, system.observed)
    # Whose turn has not come is held: nothing of it is written.
    waits = None if draft.name in stopping.scale else block
    if workload is None:
        former = previous_workload(system, draft)
        stopped = _with_replicas(draft, 0)
        return Decision(stopped, Gate(waits), former is not None, stops=True, block=block)
    stopped = replace(
        draft,
        workload=_remember(system, draft, workload),
        revision=template_revision(workload),
    )
    return Decision(stopped, Gate(waits), running=True, stops=True, block=block)


def _with_replicas(draft: Draft, count: int) -> Draft:
    spec = {**draft.workload["spec"], "replicas": count}
    return replace(draft, workload={**draft.workload, "spec": spec})


def _remember(system: System, draft: Draft, workload: Manifest) -> Manifest:
    """Write the count of an autoscaled component down on its workload."""
    live = system.observed.children[draft.ref]
    count = live["spec"].get("replicas", 1) or _resume_count(live)
    if not count or draft.least is None:
        return workload
    annotations = {**workload["metadata"].get("annotations", {}), RESUME_ANNOTATION: str(count)}
    return {**workload, "metadata": {**workload["metadata"], "annotations": annotations}}


def _wake(system: System, draft: Draft) -> Draft:
    live = system.observed.children.get(draft.ref)
    if live is None or draft.least is None or live["spec"].get("replicas", 1):
        return draft
    count = _resume_count(live)
    return _with_replicas(draft, max(draft.least, count)) if count else draft


def _resume_count(live: Manifest) -> int:
    text = (live["metadata"].get("annotations") or {}).get(RESUME_ANNOTATION, "")
    # Anybody may have written it: no more digits than a count has.
    return int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
