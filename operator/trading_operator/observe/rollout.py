"""Where a change stands, as the status says it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.rollout import (
    BACK,
    WORDS_LENGTH,
    DryRun,
    PlannedChange,
    RolloutPhase,
    RolloutStatus,
)
from trading_operator.observe.rolling import describe_change
from trading_operator.observe.verdict import Verdict, shorten
from trading_operator.plan.gating import format_time
from trading_operator.plan.types import ComponentDiff, Finding, Plan, RolloutPlan

_CREATE, _UPDATE, _REMOVE, _KEEP = "Create", "Update", "Remove", "Keep"
_MOVED = "its Service, Ingress, autoscaler or disruption budget"


def rollout_status(
    plan: RolloutPlan | None, previous: Mapping[str, Any], now: datetime
) -> RolloutStatus | None:
    """Return where the change stands, since when, and what a restart must know."""
    if plan is None:
        return None
    before = previous.get("rollout") or {}
    said = plan.hold or plan.fault
    same = (before.get("phase"), before.get("revision")) == (plan.phase, plan.desired)
    # A backup is asked for by this time: one from before something else held the change is none.
    waits = said is not None and said.reason == reasons.BACKUP_NOT_TAKEN
    same &= (before.get("reason") == reasons.BACKUP_NOT_TAKEN) == waits
    return RolloutStatus(
        phase=RolloutPhase(plan.phase),
        revision=plan.desired,
        since=before["since"] if same else format_time(now),
        progressed_at=plan.progressed_at,
        ready=plan.ready,
        baking_since=plan.baking_since,
        reason=said.reason or None if said else None,
        component=plan.component or None,
        message=said.message[:WORDS_LENGTH] or None if said else None,
        complaint=plan.complaint[:WORDS_LENGTH] or None,
    )


def dry_run_status(plan: Plan) -> DryRun | None:
    """Return what the spec would change, component by component."""
    if plan.dry_run is None:
        return None
    changes = [_describe(diff) for diff in plan.dry_run]
    return DryRun(revision=plan.desired_revision, changes=changes)


def _describe(diff: ComponentDiff) -> PlannedChange:
    if diff.after is None:
        return PlannedChange(name=diff.name, action=_REMOVE)
    if diff.before is None:
        return PlannedChange(name=diff.name, action=_CREATE)
    told = describe_change(diff.before, diff.after)
    if diff.moved:
        told = "; ".join(filter(None, (told, _MOVED)))
    if not told:
        return PlannedChange(name=diff.name, action=_KEEP)
    return PlannedChange(name=diff.name, action=_UPDATE, message=told[:WORDS_LENGTH])


def failure_words(plan: RolloutPlan) -> str:
    """Return by which component a change failed, and that one's own last words."""
    if plan.fault is None:
        return f"revision {plan.desired} was withdrawn"
    return f"revision {plan.desired} failed: {plan.component}: {plan.fault.message}"


def judge_ready(plan: RolloutPlan | None) -> Verdict | None:
    """Return why a system is not Ready though what is kept up may serve; None when it may be."""
    if plan is None:
        return None
    if plan.hold is not None:
        return Verdict(reasons.READY, False, plan.hold.reason, shorten(plan.hold.message))
    if plan.phase in BACK:
        back = reasons.ROLLED_BACK_BY_HAND if plan.by_hand else reasons.ROLLED_BACK
        reason = back if plan.phase == RolloutPhase.ROLLED_BACK else reasons.ROLLING_BACK
        return Verdict(reasons.READY, False, reason, _back_message(plan))
    if plan.phase == RolloutPhase.BAKING and plan.is_change:
        message = f"all components are ready at revision {plan.kept_up}, which is watched until "
        return Verdict(reasons.READY, False, reasons.BAKING, f"{message}{plan.good_at}")
    return None


def judge_reconciling(plan: RolloutPlan | None) -> Verdict | None:
    """Return what is on its way though every component is where it should be."""
    if plan is None:
        return None
    if plan.phase == RolloutPhase.BAKING and plan.is_change:
        message = f"revision {plan.kept_up} is watched until {plan.good_at}"
        return Verdict(reasons.RECONCILING, True, reasons.BAKING, message)
    if plan.phase == RolloutPhase.ROLLING_BACK:
        return Verdict(reasons.RECONCILING, True, reasons.ROLLING_BACK, _back_message(plan))
    return None


def judge_stalled(plan: RolloutPlan | None) -> Verdict | None:
    """Return what a person must decide or mend about a change."""
    if plan is None:
        return None
    if plan.phase in BACK:
        reason = reasons.ROLLED_BACK_BY_HAND if plan.by_hand else reasons.ROLLED_BACK
        return Verdict(reasons.STALLED, True, reason, _back_message(plan))
    if plan.hold is not None and plan.hold.reason == reasons.VALIDATION_FAILED:
        return Verdict(reasons.STALLED, True, plan.hold.reason, shorten(plan.hold.message))
    if plan.stays and plan.is_change:
        return Verdict(reasons.STALLED, True, plan.stays, shorten(_stay_message(plan)))
    return None


def judge_rolled_back(plan: RolloutPlan | None) -> Verdict:
    """Return whether the newest change went back, and why."""
    if plan is None:
        message = "nothing is watched while the system hibernates or is paused"
        return Verdict(reasons.ROLLED_BACK, False, reasons.NOTHING_ROLLED_BACK, message)
    if plan.phase in BACK:
        done = plan.phase == RolloutPhase.ROLLED_BACK
        return Verdict(reasons.ROLLED_BACK, done, _back_reason(plan, done), _back_message(plan))
    if plan.stays:
        return Verdict(reasons.ROLLED_BACK, False, plan.stays, shorten(_stay_message(plan)))
    if plan.phase in (RolloutPhase.ROLLING_OUT, RolloutPhase.BAKING):
        back = f"a failure goes back to revision {plan.last_good}"
        first = "first version: there is nothing to go back to, it is tried on"
        message = back if plan.is_change else first
        reason = reasons.CHANGE_GOES_ON if plan.is_change else reasons.NOTHING_TO_RETURN_TO
        return Verdict(reasons.ROLLED_BACK, False, reason, message)
    message = "the newest change has not gone back"
    return Verdict(reasons.ROLLED_BACK, False, reasons.NOTHING_ROLLED_BACK, message)


def judge_validated(plan: RolloutPlan | None, blocked: Mapping[str, Finding]) -> Verdict:
    """Return whether the spec can be carried out, with everything that speaks against it."""
    problems = () if plan is None else plan.problems
    found = dict.fromkeys((*problems, *_blocks(blocked)))
    warnings = () if plan is None else plan.warnings
    if found:
        reason = next(iter(found)).reason if len(found) == 1 else reasons.VALIDATION_FAILED
        message = shorten("; ".join((*(each.message for each in found), *warnings)))
        return Verdict(reasons.VALIDATED, False, reason, message)
    if warnings:
        return Verdict(reasons.VALIDATED, True, reasons.WARNINGS, shorten("; ".join(warnings)))
    message = "everything that the spec names is there"
    return Verdict(reasons.VALIDATED, True, reasons.ALL_VALID, message)


def _blocks(blocked: Mapping[str, Finding]) -> Iterator[Finding]:
    for name, block in blocked.items():
        yield Finding(block.reason, f"{name}: {block.message}")


def _back_reason(plan: RolloutPlan, done: bool) -> str:
    if not done:
        return reasons.ROLLING_BACK
    if plan.by_hand:
        return reasons.ROLLED_BACK_BY_HAND
    return plan.fault.reason if plan.fault is not None else reasons.ROLLED_BACK


def _back_message(plan: RolloutPlan) -> str:
    where = "serves" if plan.phase == RolloutPhase.ROLLED_BACK else "comes back"
    mend = (
        "edit the spec, or have it tried again with the annotation tradingoperator.io/retry"
        if not plan.by_hand
        else f"go forward again with the annotation tradingoperator.io/rollback-to={plan.desired}"
    )
    # The mend comes first: last words may be long.
    return shorten(f"revision {plan.kept_up} {where}; {mend}. {failure_words(plan)}")


def _stay_message(plan: RolloutPlan) -> str:
    why = {
        reasons.NOTHING_TO_RETURN_TO: "there is no good revision to go back to, it is tried on",
        reasons.OUTSIDE_CHANGE: "only Secrets or ConfigMaps of yours changed, which are never "
        "undone: set them back; it is tried on",
        reasons.UNPINNED_IMAGE: "an image of the last good revision may be another one behind its "
        "name by now: give images fixed tags or digests; it is tried on",
        reasons.STAYS_AS_IT_IS: "rollout.onFailure is Stay: edit the spec; it is tried on",
    }
    return f"{why.get(plan.stays, plan.stays)}. {failure_words(plan)}"
