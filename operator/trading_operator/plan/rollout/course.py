"""The course of a system: which revision is kept up now, and what becomes of those that are not.

The spec is never rewritten. What it asks for (the wanted revision) is kept up unless its change is
held before it begins, or went back; then it is an earlier revision, with the spec that it had.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.reasons import (
    NOTHING_TO_RETURN_TO,
    OUTSIDE_CHANGE,
    STAYS_AS_IT_IS,
    UNPINNED_IMAGE,
)
from trading_operator.api.rollout import WORDS_LENGTH, OnFailure, RolloutPhase
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.drafts import plan_drafts
from trading_operator.plan.images import image_findings
from trading_operator.plan.readiness import is_ready
from trading_operator.plan.rendering import Renderings, keep_renderings, restore_renderings
from trading_operator.plan.rollout.clock import Clock, read_clock, time_left
from trading_operator.plan.rollout.commands import carry_out
from trading_operator.plan.rollout.faults import (
    Change,
    Fault,
    Finding,
    find_fault,
    find_standstill,
)
from trading_operator.plan.rollout.gates import Hold, Proposal, find_hold
from trading_operator.plan.rollout.ledger import REFUSED, Ledger, Outcome, read_ledger
from trading_operator.plan.rollout.stored_spec import is_same_spec, restore_spec
from trading_operator.plan.rollout.validation import NOTHING_AGAINST, Assessment, assess
from trading_operator.plan.stored_revision import unpack, unpack_data
from trading_operator.plan.types import RevisionState, StoredRevision


@dataclass(frozen=True)
class Candidate:
    """A revision that may be kept up, with the spec that it is of."""

    system: System
    renderings: Renderings
    state: RevisionState

    @property
    def digest(self) -> str:
        """Return the digest by which it is known."""
        return self.renderings.digest

    @property
    def drafts(self) -> Mapping[str, Draft]:
        """Return its components in start order."""
        return self.renderings.drafts

    def count_ready(self) -> int:
        """Return how many of its components serve at it."""
        return sum(is_ready(self.system.observed, each) for each in self.drafts.values())

    @property
    def is_up(self) -> bool:
        """Tell whether all of it serves."""
        return self.count_ready() == len(self.drafts)


@dataclass(frozen=True)
class Course:
    """What is kept up, and where the change that the spec asks for stands."""

    kept_up: Candidate
    wanted: Candidate
    ledger: Ledger
    phase: RolloutPhase | None = None  # None: nobody watches, the system sleeps or is paused
    hold: Hold | None = None
    fault: Fault | None = None  # by which the change failed, or fails without a way back
    stays: str = ""  # why a change that fails does not go back, a reason
    clock: Clock | None = None
    look_again: timedelta | None = None
    assessment: Assessment = NOTHING_AGAINST
    problem: str = ""  # of a command that cannot be carried out
    failed: Candidate | None = None  # one that failed and is not what the spec asks for any more
    wants_capacity: bool = False  # quotas and nodes have to be looked at first

    @property
    def last_good(self) -> str:
        """Return the digest of the newest good revision, "" when there is none."""
        if self.kept_up.state.outcome == Outcome.GOOD:
            return self.kept_up.digest
        stored = self.ledger.last_good()
        return "" if stored is None else self.ledger.digest_of(stored)

    @property
    def is_proven(self) -> bool:
        """Tell whether what is kept up is known to be good, and nothing else has to come back."""
        return self.kept_up.state.outcome == Outcome.GOOD

    @property
    def is_change(self) -> bool:
        """Tell whether there was a good revision before the one that is kept up."""
        return self.ledger.last_good(self.kept_up.digest) is not None


def set_course(system: System, now: datetime) -> Course:
    """Decide which revision is kept up now. Raises InvalidSpecError."""
    ledger = read_ledger(system.owner, system.observed)
    renderings = keep_renderings(system, plan_drafts(system))
    stored = ledger.find(renderings.digest)
    state = RevisionState(Outcome.UNPROVEN) if stored is None else stored.state
    state = replace(state, adopted=renderings.adopted)
    command = carry_out(system, ledger, renderings.digest, state)
    wanted = Candidate(system, renderings, command.state)
    return replace(_set_course(wanted, ledger, now), problem=command.problem)


def _set_course(wanted: Candidate, ledger: Ledger, now: datetime) -> Course:
    if wanted.state.outcome in REFUSED:
        return _return(wanted, ledger)
    standing = ledger.standing()
    if standing is None or standing == ledger.find(wanted.digest):
        return _watch(wanted, wanted, ledger, now)
    before = _restore(wanted.system, ledger, standing)
    if before is None:
        return _watch(wanted, wanted, ledger, now)
    return _propose(wanted, before, ledger, now)


def _propose(wanted: Candidate, before: Candidate, ledger: Ledger, now: datetime) -> Course:
    """Let a change begin, or hold it and keep up what was there before, under its own watch."""
    changed = _changed(wanted.drafts, {name: d.revision for name, d in before.drafts.items()})
    assessment = assess(wanted.system, wanted.drafts, changed)
    hold = find_hold(Proposal(wanted.system, wanted.digest, assessment))
    unseen = hold is None and wanted.system.observed.capacity is None
    if hold is None and not unseen:
        return replace(_watch(wanted, wanted, ledger, now), assessment=assessment)
    course = _watch(before, wanted, ledger, now)
    if course.kept_up is not before:
        return course  # what was there before goes back meanwhile
    phase = RolloutPhase.HELD if hold is not None else course.phase
    return replace(course, phase=phase, hold=hold, assessment=assessment, wants_capacity=unseen)


def _watch(kept: Candidate, wanted: Candidate, ledger: Ledger, now: datetime) -> Course:
    """Keep a revision up, and watch it for as long as it is not proven."""
    course = Course(kept, wanted, ledger)
    spec = kept.system.spec
    if spec.paused or spec.hibernated:
        return course
    if kept.state.outcome == Outcome.GOOD:
        phase = RolloutPhase.PROVEN if kept.is_up else RolloutPhase.ROLLING_OUT
        return replace(course, phase=phase)
    ready = kept.count_ready()
    clock = read_clock(kept.system.observed.rollout, kept.digest, ready, len(kept.drafts), now)
    found = _look_for_fault(kept, ledger.last_good(kept.digest), clock, now)
    if found.fault is not None:
        return _fail(replace(course, clock=clock), found.fault)
    return _go_on(course, clock, found.look_again, now)


def _look_for_fault(
    kept: Candidate, baseline: StoredRevision | None, clock: Clock, now: datetime
) -> Finding:
    known = {} if baseline is None else unpack(baseline)
    changed = _changed(kept.drafts, {name: each.revision for name, each in known.items()})
    change = Change(kept.drafts, changed, kept.system.observed, now)
    found = find_fault(change)
    if found.fault is not None or clock.baking_since is not None:
        return found
    deadline = parse_duration(kept.system.spec.rollout.progress_deadline)
    standstill = find_standstill(change, clock.progressed_at, deadline)
    return replace(standstill, look_again=_soonest(standstill.look_again, found.look_again))


def _go_on(course: Course, clock: Clock, look_again: timedelta | None, now: datetime) -> Course:
    """Go on with a change that has not failed; after the bake time its revision is good."""
    kept = course.kept_up
    left = time_left(clock.baking_since, parse_duration(kept.system.spec.rollout.bake_time), now)
    if left is None:
        phase = RolloutPhase.ROLLING_OUT
    elif left or look_again is not None:
        phase = RolloutPhase.BAKING
    else:
        proven = replace(kept, state=replace(kept.state, outcome=Outcome.GOOD))
        wanted = proven if course.wanted is kept else course.wanted
        return replace(course, kept_up=proven, wanted=wanted, phase=RolloutPhase.PROVEN)
    return replace(course, phase=phase, clock=clock, look_again=_soonest(left, look_again))


def _fail(course: Course, fault: Fault) -> Course:
    """Go back from a change that failed, unless there is no way back or nobody wants one."""
    kept, ledger = course.kept_up, course.ledger
    stays = _find_stay(kept, ledger.last_good(kept.digest))
    if stays:
        return replace(course, phase=RolloutPhase.ROLLING_OUT, fault=fault, stays=stays)
    state = replace(
        kept.state,
        outcome=Outcome.FAILED,
        component=fault.component,
        reason=fault.reason,
        message=fault.message[:WORDS_LENGTH],
    )
    failed = replace(kept, state=state)
    returned = _return(failed, ledger)
    if course.wanted is kept:
        return returned
    return replace(returned, wanted=course.wanted, failed=failed)


def _find_stay(kept: Candidate, baseline: StoredRevision | None) -> str:
    """Return why a change that failed does not go back, "" when it does."""
    if kept.system.spec.rollout.on_failure is OnFailure.STAY:
        return STAYS_AS_IT_IS
    if baseline is None:
        return NOTHING_TO_RETURN_TO
    if _changed_outside_alone(kept, baseline):
        return OUTSIDE_CHANGE
    return UNPINNED_IMAGE if _was_unpinned(kept, baseline) else ""


def _was_unpinned(kept: Candidate, baseline: StoredRevision) -> bool:
    """Tell whether an image to which the change would go back may be another one by now."""
    return any(
        rendering.revision != kept.drafts[name].revision
        and image_findings(rendering.template["spec"]["containers"][0]["image"], name)
        for name, rendering in unpack(baseline).items()
        if name in kept.drafts
    )


def _changed_outside_alone(kept: Candidate, baseline: StoredRevision) -> bool:
    """Tell whether Secrets and ConfigMaps of somebody else are all that changed.

    Going back would read the same ones: they are never undone.
    """
    before, spec = unpack(baseline), unpack_data(baseline).get("spec") or {}
    after = kept.renderings.data
    if not is_same_spec(after["spec"], spec):
        return False
    return all(
        name in before
        and each["asked"] == before[name].asked
        and (each["inputs"] != before[name].inputs or each["revision"] == before[name].revision)
        for name, each in after["components"].items()
    )


def _return(refused: Candidate, ledger: Ledger) -> Course:
    """Keep up the revision to which the system goes back from `refused`."""
    state = refused.state
    fault = Fault(state.component, state.reason, state.message) if state.reason else None
    target = ledger.find(state.return_to) if state.return_to else None
    target = target or ledger.last_good(refused.digest)
    restored = None if target is None else _restore(refused.system, ledger, target)
    if restored is None:
        course = Course(refused, refused, ledger, RolloutPhase.ROLLING_OUT)
        return replace(course, fault=fault, stays=NOTHING_TO_RETURN_TO)
    phase = RolloutPhase.ROLLED_BACK if restored.is_up else RolloutPhase.ROLLING_BACK
    return Course(restored, refused, ledger, phase, fault=fault)


def _restore(system: System, ledger: Ledger, stored: StoredRevision) -> Candidate | None:
    """Return a stored revision as it can be kept up again, None when it cannot."""
    spec = restore_spec(unpack_data(stored).get("spec") or {}, system.spec)
    if spec is None:
        return None
    restored = replace(system, spec=spec)
    try:
        drafts = plan_drafts(restored)
    except InvalidSpecError:
        return None  # what another operator took, this one does not
    renderings = restore_renderings(stored, ledger.digest_of(stored), drafts)
    return Candidate(restored, renderings, stored.state)


def _changed(drafts: Mapping[str, Draft], before: Mapping[str, str]) -> frozenset[str]:
    return frozenset(n for n, draft in drafts.items() if before.get(n) != draft.revision)


def _soonest(*waits: timedelta | None) -> timedelta | None:
    return min((wait for wait in waits if wait is not None), default=None)
