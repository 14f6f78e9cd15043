"""When a training is due, and how many have been missed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_parts import TrainingSchedule
from trading_operator.api.model_training_status import ModelTrainingJobStatus
from trading_operator.plan.backup.cron import moments_between, next_moment, parse_cron
from trading_operator.plan.gating import format_time
from trading_operator.plan.moments import read_moment

_MOST_MISSED = 1000  # that are counted at once
_LATE = timedelta(seconds=1)


@dataclass(frozen=True)
class Timetable:
    """What the schedule says now; `since` counts the moments that are still to be looked at."""

    text: str | None = None
    since: str | None = None
    due: str = ""  # the newest moment for which a run may begin now
    next_run: str | None = None
    missed: int = 0  # newly found
    look_again: timedelta | None = None


def read_timetable(
    spec: ModelTrainingJobSpec, before: ModelTrainingJobStatus, last: str, now: datetime
) -> Timetable:
    """Return what is due; `last` is the moment of the newest run by schedule.

    Raises InvalidSpecError. What passes while it is suspended is neither due nor missed.
    """
    schedule = spec.schedule
    if schedule is None:
        return Timetable()
    cron = parse_cron(schedule.cron, schedule.time_zone, "schedule.cron")
    if spec.suspend:
        return Timetable()
    text = _describe(schedule)
    known = read_moment(before.scheduled_since) if before.scheduled == text else None
    since = now if known is None or known > now else known
    begun = read_moment(last)
    if begun is not None and begun > since:
        since = begun
    deadline = parse_duration(schedule.starting_deadline)
    late = moments_between(cron, since, now - deadline, _MOST_MISSED)
    if late:
        since = late[-1]
    open_ = moments_between(cron, since, now, _MOST_MISSED)
    coming = next_moment(cron, now)
    waits = [coming - now + _LATE] if coming is not None else []
    if open_:
        waits.append(open_[0] + deadline - now + _LATE)
    return Timetable(
        text=text,
        since=format_time(since),
        due=format_time(open_[-1]) if open_ else "",
        next_run=None if coming is None else format_time(coming),
        missed=len(late),
        look_again=min(waits, default=None),
    )


def _describe(schedule: TrainingSchedule) -> str:
    return f"{schedule.cron} {schedule.time_zone} {schedule.starting_deadline}"
