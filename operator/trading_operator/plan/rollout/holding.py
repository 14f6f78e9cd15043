"""A change that has not begun, as the lines of the components tell it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from trading_operator.plan.observed import ref_of
from trading_operator.plan.rollout.course import Course
from trading_operator.plan.types import Block, ComponentPlan

# Quotas, Secrets and nodes are not watched.
LOOK_AGAIN = timedelta(seconds=15)


def hold_component(course: Course, component: ComponentPlan) -> ComponentPlan:
    """Say of a component that runs why its change does not begin."""
    problem = course.assessment.of(component.name) if course.hold is not None else None
    if problem is None or component.block is not None:
        return component
    return replace(component, block=problem)


def held_components(course: Course) -> Iterator[ComponentPlan]:
    """Yield the components that a held change would add."""
    if course.hold is None:
        return
    for name, draft in course.wanted.drafts.items():
        if name in course.kept_up.drafts:
            continue
        problem = course.assessment.of(name)
        yield ComponentPlan(
            name=name,
            kind=draft.kind,
            workload=draft.ref,
            revision=draft.revision,
            desired=draft.desired,
            block=problem or Block(course.hold.reason, "not made: the change has not begun"),
            findings=draft.findings,
            held=True,
            claim=None if draft.claim is None else ref_of(draft.claim),
        )
