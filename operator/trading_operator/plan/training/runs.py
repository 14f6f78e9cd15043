"""Where the newest run stands, what became of its Jobs, and whether another one begins.

What a Job said is taken over into the status, as often as it is seen. A Job is stopped only once
the status says why: whoever dies between the two goes on with the same verdict.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api import reasons
from trading_operator.api.backup_status import WORDS_LENGTH
from trading_operator.api.model_training_status import (
    Launch,
    LaunchOutcome,
    RunOutcome,
    TrainingRun,
)
from trading_operator.plan.gating import format_time
from trading_operator.plan.moments import read_moment
from trading_operator.plan.training.answers import TrainingAnswer, read_training_answer
from trading_operator.plan.training.case import TrainingCase, TrainingJobFacts
from trading_operator.plan.training.launches import STOPPED, add_launch, find_stop, ran_for
from trading_operator.plan.training.recipe import recipe_of

# Jobs and pods are watched apart: a Job may be known to be over before what its pod said.
_UNHEARD = timedelta(minutes=1)
_LOOK_AGAIN = timedelta(seconds=5)
_JUST_RUNS = timedelta(seconds=3)  # how often a program is asked how far it is


@dataclass(frozen=True)
class Standing:
    """Where the newest run stands after all that its Jobs said."""

    run: TrainingRun | None = None
    job: TrainingJobFacts | None = None  # of its newest launch, while it is there
    answer: TrainingAnswer | None = None  # when it ended well, until that is in the status
    look_again: timedelta | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the run goes on."""
        return self.run is not None and self.run.outcome is RunOutcome.RUNNING


def take_stock(case: TrainingCase, resting: str, now: datetime) -> Standing:
    """Return where the newest run stands; `resting` says why none may go on."""
    run = _adopt(case)
    if run is None or run.outcome is not RunOutcome.RUNNING:
        return Standing(run)
    if run.recipe != recipe_of(case.spec):
        return Standing(_end(run, RunOutcome.SUPERSEDED, "", "", now))
    launch = run.launches[-1] if run.launches else None
    if launch is None or launch.outcome is not LaunchOutcome.RUNNING:
        return Standing(run)
    return _follow(case, run, launch, resting, now)


def _follow(
    case: TrainingCase, run: TrainingRun, launch: Launch, resting: str, now: datetime
) -> Standing:
    """Return where a run stands whose newest Job is not known to be over."""
    job = _job_of(case, run)
    if job is None:
        return Standing(_note_vanished(case, run, launch, now))
    if job.is_over:
        return _take_end(run, launch, job, now)
    stop = find_stop(case, run, job, resting, now)
    if stop.outcome is None:
        asked_soon = _JUST_RUNS if job.address else None
        waits = [each for each in (stop.look_again, asked_soon) if each is not None]
        return Standing(run, job, look_again=min(waits, default=_LOOK_AGAIN))
    return Standing(_stop(run, launch, job, stop.outcome, stop.message, now), job)


def _adopt(case: TrainingCase) -> TrainingRun | None:
    """Return the newest run that the status knows of, or that a Job tells of."""
    run = case.before.run
    for job in sorted(case.jobs, key=lambda each: (each.run, each.launch)):
        if run is None or job.run > run.number:
            run = TrainingRun(
                number=job.run,
                recipe=job.recipe,
                outcome=RunOutcome.RUNNING,
                scheduled_for=job.scheduled_for or None,
                started_at=job.created_at or None,
                champion=job.champion or None,
            )
        known = max((each.number for each in run.launches), default=0)
        if job.run == run.number and job.launch > known and run.outcome is RunOutcome.RUNNING:
            launch = Launch(
                number=job.launch,
                job=job.name,
                device=job.device,
                outcome=LaunchOutcome.RUNNING,
                since=job.created_at or None,
            )
            before = [_close_lost(each) for each in run.launches]
            run = run.model_copy(update={"launches": add_launch(before, launch)})
    return run


def _close_lost(launch: Launch) -> Launch:
    """Return a launch that has a successor: what it was is known, though the status lost it."""
    if launch.outcome is not LaunchOutcome.RUNNING:
        return launch
    return launch.model_copy(update={"outcome": LaunchOutcome.VANISHED})


def _job_of(case: TrainingCase, run: TrainingRun) -> TrainingJobFacts | None:
    if not run.launches:
        return None
    name = run.launches[-1].job
    return next((each for each in case.jobs if each.name == name and not each.deleting), None)


def _note_vanished(
    case: TrainingCase, run: TrainingRun, launch: Launch, now: datetime
) -> TrainingRun:
    told = launch.model_copy(
        update={"outcome": LaunchOutcome.VANISHED, "message": "somebody deleted the Job"}
    )
    run = run.model_copy(update={"launches": add_launch(run.launches, told)})
    lost = sum(each.outcome is LaunchOutcome.VANISHED for each in run.launches)
    if lost <= case.spec.retries:
        return run
    message = f"its Jobs were deleted {lost} times; see who does, then set tradingoperator.io/retry"
    return _end(run, RunOutcome.FAILED, reasons.JOB_VANISHED, message, now)


def _take_end(run: TrainingRun, launch: Launch, job: TrainingJobFacts, now: datetime) -> Standing:
    ended = read_moment(job.ended_at)
    answer = read_training_answer(job.words)
    well = job.outcome == "Succeeded"
    good = well and answer is not None and answer.went_well
    # What is known may be the word of a pod before the one that ended well.
    if well and not good and ended is not None and now - ended < _UNHEARD:
        return Standing(run, job, look_again=_LOOK_AGAIN)
    outcome = LaunchOutcome.SUCCEEDED if good else LaunchOutcome.FAILED
    run = _close(run, launch, job, outcome, "", now)
    if good:
        return Standing(_end(run, RunOutcome.SUCCEEDED, "", "", now), job, answer)
    reason, message = _why_failed(job, answer, well)
    return Standing(_end(run, RunOutcome.FAILED, reason, message, now), job)


def _why_failed(
    job: TrainingJobFacts, answer: TrainingAnswer | None, well: bool
) -> tuple[str, str]:
    if well:
        return reasons.NO_ANSWER, "its pod ended without saying which version it had registered"
    if answer is not None and not answer.went_well:
        return answer.reason or job.reason, answer.message or job.message
    return job.reason or reasons.TRAINING_FAILED, job.words.strip() or job.message


def _stop(
    run: TrainingRun,
    launch: Launch,
    job: TrainingJobFacts,
    outcome: LaunchOutcome,
    message: str,
    now: datetime,
) -> TrainingRun:
    run = _close(run, launch, job, outcome, message, now)
    if outcome is LaunchOutcome.DEADLINE_EXCEEDED:
        mend = "raise spec.deadline, or train less"
        told = f"{message}; {mend}"
        return _end(run, RunOutcome.FAILED, reasons.DEADLINE_EXCEEDED, told, now)
    return run


def _close(
    run: TrainingRun,
    launch: Launch,
    job: TrainingJobFacts,
    outcome: LaunchOutcome,
    message: str,
    now: datetime,
) -> TrainingRun:
    ran = round(ran_for(job, now).total_seconds())
    told = launch.model_copy(
        update={
            "outcome": outcome,
            "ran_seconds": ran,
            "message": message[:WORDS_LENGTH] or None,
        }
    )
    return run.model_copy(
        update={
            "launches": add_launch(run.launches, told),
            "ran_seconds": run.ran_seconds + ran,
        }
    )


def _end(
    run: TrainingRun, outcome: RunOutcome, reason: str, message: str, now: datetime
) -> TrainingRun:
    launches = list(run.launches)
    if launches and launches[-1].outcome is LaunchOutcome.RUNNING:
        told = launches[-1].model_copy(update={"outcome": LaunchOutcome.SUPERSEDED})
        launches = add_launch(launches, told)
    return run.model_copy(
        update={
            "outcome": outcome,
            "ended_at": format_time(now),
            "reason": reason or None,
            "message": message[:WORDS_LENGTH] or None,
            "launches": launches,
        }
    )


def jobs_to_stop(case: TrainingCase) -> tuple[str, ...]:
    """Return the Jobs that have to go, by what the status said before this pass."""
    known = case.before.run
    if known is None:
        return ()
    stopped = {each.job for each in known.launches if each.outcome in STOPPED}
    older = {each.name for each in case.jobs if each.run < known.number}
    over = known.outcome is not RunOutcome.RUNNING
    ended = {each.name for each in case.jobs if each.run == known.number and over}
    unfinished = {each.name for each in case.jobs if not each.is_over and not each.deleting}
    return tuple(sorted((stopped | older | ended) & unfinished))


def is_clear(case: TrainingCase) -> bool:
    """Tell whether no Job and no pod of an earlier launch is left that may still write."""
    return not case.lingering and all(each.is_over and not each.deleting for each in case.jobs)


def next_number(case: TrainingCase, run: TrainingRun | None) -> int:
    """Return the number of the next run: no Job has had it."""
    known = 0 if run is None else run.number
    return max((known, *(each.run for each in case.jobs))) + 1


def open_run(number: int, recipe: str, scheduled_for: str, champion: str) -> TrainingRun:
    """Return a run that is about to begin."""
    return TrainingRun(
        number=number,
        recipe=recipe,
        outcome=RunOutcome.RUNNING,
        scheduled_for=scheduled_for or None,
        champion=champion or None,
    )
