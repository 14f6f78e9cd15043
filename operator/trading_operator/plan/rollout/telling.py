"""What the status has to know of a course."""

from collections.abc import Iterator

from trading_operator.api.common import parse_duration
from trading_operator.plan.draft import Draft
from trading_operator.plan.gating import format_time
from trading_operator.plan.rollout.clock import Clock
from trading_operator.plan.rollout.commands import DRY_RUN
from trading_operator.plan.rollout.course import Course
from trading_operator.plan.rollout.ledger import Outcome
from trading_operator.plan.types import ComponentDiff, Finding, Manifest, RolloutPlan


def plan_rollout(course: Course) -> RolloutPlan | None:
    """Return where the change stands; None when nobody watches."""
    if course.phase is None:
        return None
    fault, clock = course.fault, course.clock
    assessment = course.assessment
    # What failed below a change that is held is told as what it is.
    subject = course.failed or course.wanted
    return RolloutPlan(
        phase=course.phase.value,
        desired=subject.digest,
        kept_up=course.kept_up.digest,
        last_good=course.last_good,
        is_change=course.is_change,
        by_hand=subject.state.outcome == Outcome.WITHDRAWN,
        hold=None if course.hold is None else Finding(course.hold.reason, course.hold.message),
        component="" if fault is None else fault.component,
        fault=None if fault is None else Finding(fault.reason, fault.message),
        stays=course.stays,
        progressed_at=None if clock is None else format_time(clock.progressed_at),
        ready=None if clock is None else clock.ready,
        baking_since=_baking_since(clock),
        good_at=_good_at(course, clock),
        problems=tuple(
            Finding(each.block.reason, f"{each.component}: {each.block.message}")
            for each in assessment.problems
        ),
        warnings=assessment.warnings,
        complaint=course.problem,
    )


def plan_dry_run(course: Course) -> tuple[ComponentDiff, ...] | None:
    """Return what the spec would change of what is kept up, when somebody asks for it."""
    if not course.wanted.system.owner.commands.get(DRY_RUN):
        return None
    return tuple(_diffs(course))


def _diffs(course: Course) -> Iterator[ComponentDiff]:
    for name, draft in course.wanted.drafts.items():
        before = course.kept_up.drafts.get(name)
        if before is None:
            yield ComponentDiff(name, None, draft.workload)
        else:
            moved = _address(before) != _address(draft)
            yield ComponentDiff(name, before.workload, draft.workload, moved)
    for name, draft in course.kept_up.drafts.items():
        if name not in course.wanted.drafts:
            yield ComponentDiff(name, draft.workload, None)


def _address(draft: Draft) -> list[Manifest]:
    """Return how a component is reached, and what works on it."""
    made = (draft.service, *draft.extras)
    return [each["spec"] for each in made if each is not None]


def _baking_since(clock: Clock | None) -> str | None:
    if clock is None or clock.baking_since is None:
        return None
    return format_time(clock.baking_since)


def _good_at(course: Course, clock: Clock | None) -> str:
    if clock is None or clock.baking_since is None:
        return ""
    time = parse_duration(course.kept_up.system.spec.rollout.bake_time)
    return format_time(clock.baking_since + time)
