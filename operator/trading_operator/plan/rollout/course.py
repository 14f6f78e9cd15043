"""The course of a system: which revision is kept up now, and what becomes of those that are not.

The spec is never rewritten. What it asks for (the wanted revision) is kept up unless its change is
held before it begins, or went back; then it is an earlier revision, with the spec that it had.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.reasons import NOTHING_TO_RETURN_TO
from trading_operator.api.rollout import WORDS_LENGTH, RolloutPhase
from trading_operator.plan.draft import System
from trading_operator.plan.drafts import plan_drafts
from trading_operator.plan.observed import RevisionState, StoredRevision
from trading_operator.plan.rendering import keep_renderings
from trading_operator.plan.rollout.candidate import Candidate, changed_components, restore
from trading_operator.plan.rollout.clock import Clock, read_clock, soonest, time_left
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
from trading_operator.plan.rollout.staying import find_stay, is_same_but_for_outside
from trading_operator.plan.rollout.validation import (
    NOTHING_AGAINST,
    Assessment,
    assess,
    find_risks,
)
from trading_operator.plan.stored_revision import unpack


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
        if self.kept_up.is_good:
            return self.kept_up.digest
        stored = self.ledger.last_good()
        return "" if stored is None else self.ledger.digest_of(stored)

    @property
    def is_proven(self) -> bool:
        """Tell whether what is kept up is known to be good, and nothing else has to come back."""
        return self.kept_up.is_good

    @property
    def is_change(self) -> bool:
        """Tell whether there was a good revision before the one that is kept up."""
        return self.ledger.last_good(self.kept_up.digest) is not None


def set_course(system: System, now: datetime) -> Course:
    """Decide which revision is kept up now. Raises InvalidSpecError."""
    ledger = read_ledger(system.owner, system.observed)
    renderings = keep_renderings(system, plan_drafts(system))
    asked = Candidate(system, renderings, RevisionState(Outcome.UNPROVEN))
    state = replace(_known_state(asked, ledger), adopted=renderings.adopted)
    command = carry_out(system, ledger, renderings.digest, state)
    course = _set_course(replace(asked, state=command.state), ledger, now)
    assessment = replace(
        course.assessment, warnings=(*course.assessment.warnings, *find_risks(asked.system))
    )
    return replace(course, problem=command.problem, assessment=assessment)


def _known_state(asked: Candidate, ledger: Ledger) -> RevisionState:
    """Return what is known of the revision that the spec asks for.

    A Secret that was rotated makes another revision of the same spec: if that one went back, a
    rotation is no reason to try it again.
    """
    stored = ledger.find(asked.digest)
    if stored is not None:
        return stored.state
    refused = (each for each in ledger.stored if each.state.outcome in REFUSED)
    same = next((each for each in refused if is_same_but_for_outside(asked, each)), None)
    return asked.state if same is None else same.state


def _set_course(wanted: Candidate, ledger: Ledger, now: datetime) -> Course:
    if wanted.state.outcome in REFUSED:
        return _return(wanted, ledger)
    standing = ledger.standing()
    if standing is None or standing == ledger.find(wanted.digest):
        return _watch(wanted, wanted, ledger, now)
    before = restore(wanted.system, ledger, standing)
    if before is None:
        return _watch(wanted, wanted, ledger, now)
    return _propose(wanted, before, ledger, now)


def _propose(wanted: Candidate, before: Candidate, ledger: Ledger, now: datetime) -> Course:
    """Let a change begin, or hold it and keep up what was there before, under its own watch."""
    former = {name: draft.revision for name, draft in before.drafts.items()}
    changed = changed_components(wanted.drafts, former)
    assessment = assess(wanted.system, wanted.drafts, changed)
    hold = find_hold(Proposal(wanted.system, wanted.digest, assessment))
    unseen = wanted.system.observed.capacity is None
    if hold is None and not unseen:
        return replace(_watch(wanted, wanted, ledger, now), assessment=assessment)
    course = _watch(before, wanted, ledger, now)
    if course.kept_up.digest != before.digest:
        return course  # what was there before goes back meanwhile
    phase = RolloutPhase.HELD if hold is not None and course.phase is not None else course.phase
    return replace(course, phase=phase, hold=hold, assessment=assessment, wants_capacity=unseen)


def _watch(kept: Candidate, wanted: Candidate, ledger: Ledger, now: datetime) -> Course:
    """Keep a revision up, and watch it for as long as it is not proven."""
    course = Course(kept, wanted, ledger)
    if _sleeps(kept):
        return course
    if kept.is_good:
        phase = RolloutPhase.PROVEN if kept.is_rolled_out else RolloutPhase.ROLLING_OUT
        return replace(course, phase=phase)
    ready = kept.count_ready()
    clock = read_clock(kept.system.observed.rollout, kept.digest, ready, len(kept.drafts), now)
    course = replace(course, clock=clock)
    baseline = ledger.last_good(kept.digest)
    stays = find_stay(kept, baseline)
    found = _look_for_fault(kept, baseline, clock, now)
    if found.fault is None or (stays and clock.baking_since is not None):
        # Where there is no way back, what serves again is forgiven.
        return _go_on(course, clock, found.look_again, now)
    return _fail(course, found.fault, stays)


def _sleeps(kept: Candidate) -> bool:
    return kept.system.spec.paused or kept.system.spec.hibernated


def _look_for_fault(
    kept: Candidate, baseline: StoredRevision | None, clock: Clock, now: datetime
) -> Finding:
    known = {} if baseline is None else unpack(baseline)
    former = {name: each.revision for name, each in known.items()}
    changed = changed_components(kept.drafts, former)
    change = Change(kept.drafts, changed, kept.system.observed, now)
    found = find_fault(change)
    if found.fault is not None or clock.baking_since is not None:
        return found
    deadline = parse_duration(kept.system.spec.rollout.progress_deadline)
    standstill = find_standstill(change, clock.progressed_at, deadline)
    return replace(standstill, look_again=soonest(standstill.look_again, found.look_again))


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
        return replace(course, kept_up=proven, wanted=wanted, phase=RolloutPhase.PROVEN, clock=None)
    return replace(course, phase=phase, look_again=soonest(left, look_again))


def _fail(course: Course, fault: Fault, stays: str) -> Course:
    """Go back from a change that failed, unless there is no way back or nobody wants one."""
    kept, ledger = course.kept_up, course.ledger
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


def _return(refused: Candidate, ledger: Ledger) -> Course:
    """Keep up the revision to which the system goes back from `refused`."""
    state = refused.state
    fault = Fault(state.component, state.reason, state.message) if state.reason else None
    target = ledger.find(state.return_to) if state.return_to else None
    target = target or ledger.last_good(refused.digest)
    back = None if target is None else restore(refused.system, ledger, target)
    if back is None:
        course = Course(refused, refused, ledger, RolloutPhase.ROLLING_OUT)
        return replace(course, fault=fault, stays=NOTHING_TO_RETURN_TO)
    return Course(back, refused, ledger, _phase_of_return(back), fault=fault)


def _phase_of_return(back: Candidate) -> RolloutPhase | None:
    if _sleeps(back):
        return None
    before = back.system.observed.rollout
    # Once it was back, a pod that is not Ready for a moment is no way back any more.
    was = (before.phase, before.revision) == (RolloutPhase.ROLLED_BACK.value, back.digest)
    done = back.is_rolled_out and (was or back.is_up)
    return RolloutPhase.ROLLED_BACK if done else RolloutPhase.ROLLING_BACK
