"""A trading system's whole status, computed from what was applied."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.trading_system import (
    ComponentState,
    ComponentStatus,
    HandledCommands,
    TradingSystemSpec,
    TradingSystemStatus,
)
from trading_operator.manifests.metadata import ADOPT_ANNOTATION, Owner
from trading_operator.observe.components import component_lines
from trading_operator.observe.conditions import Picture, verdicts
from trading_operator.observe.rollout import dry_run_status, rollout_status
from trading_operator.observe.verdict import Verdict, build_conditions, judged_status
from trading_operator.plan.observed import Observed
from trading_operator.plan.readiness import serves
from trading_operator.plan.types import Applied

Status = dict[str, Any]


def trading_system_status(
    applied: Applied,
    spec: TradingSystemSpec,
    observed: Observed,
    previous: Mapping[str, Any] | None,
    now: datetime,
) -> Status:
    """Return the complete status as it goes over the wire."""
    before = previous or {}
    plan = applied.plan
    lines = component_lines(applied, observed, before)
    picture = _picture(applied, spec, observed, lines)
    status = TradingSystemStatus(
        observed_generation=plan.generation,
        revision=plan.revision,
        desired_revision=plan.desired_revision,
        last_good_revision=plan.last_good_revision,
        rollout=rollout_status(plan.rollout, before, now),
        dry_run=dry_run_status(plan),
        handled=_handled(applied),
        components_ready=_count(lines),
        trading_state=plan.trading_state and plan.trading_state.told(applied.children),
        halted_by=plan.halted_by or None,
        components=lines,
        conditions=build_conditions(verdicts(picture), plan.generation, before, now),
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _handled(applied: Applied) -> HandledCommands | None:
    rendering, plan = applied.plan.rendering, applied.plan
    stored = {} if rendering is None else applied.children.get(rendering, {})
    annotations = stored.get("metadata", {}).get("annotations") or {}
    fields = {name.replace("-", "_"): value for name, value in plan.handled.items()}
    told = {"adopt_rendering": annotations.get(ADOPT_ANNOTATION), **fields}
    told = {name: value for name, value in told.items() if value}
    return HandledCommands(**told) if told else None


def invalid_status(
    owner: Owner, error: InvalidSpecError, previous: Mapping[str, Any] | None, now: datetime
) -> Status:
    """Return the status of a spec that makes no sense: what runs is left as it is.

    What was last seen of it keeps the generation that it was computed from.
    """
    before = dict(previous or {})
    message = str(error)
    found: tuple[Verdict, ...] = (
        Verdict(reasons.READY, False, reasons.INVALID_SPEC, message),
        Verdict(reasons.RECONCILING, False, reasons.INVALID_SPEC, "waits for the spec's mend"),
        Verdict(reasons.STALLED, True, reasons.INVALID_SPEC, message),
    )
    if not before.get("conditions"):
        found = (Verdict(reasons.AVAILABLE, False, reasons.INVALID_SPEC, message), *found)
    return {**judged_status(owner, found, before, now), "observedGeneration": owner.generation}


def _picture(
    applied: Applied,
    spec: TradingSystemSpec,
    observed: Observed,
    lines: Sequence[ComponentStatus],
) -> Picture:
    components = applied.plan.components
    own = {ref for component in components for ref in (component.workload, component.claim)}
    return Picture(
        spec=spec,
        lines=lines,
        serving={each.name: serves(observed, each) for each in components if not each.held},
        failures=[failure for failure in applied.failures if failure.ref not in own],
        findings=[finding for component in components for finding in component.findings],
        left=applied.plan.left,
        withheld=applied.plan.withheld,
        rollout=applied.plan.rollout,
        why_stopped=reasons.HIBERNATED if observed.restore is None else reasons.RESTORING,
    )


def _count(lines: Sequence[ComponentStatus]) -> str:
    ready = sum(line.state is ComponentState.READY for line in lines)
    return f"{ready}/{len(lines)}"
