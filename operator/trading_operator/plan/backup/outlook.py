"""When the next runs are due, and which have been missed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api.backup_status import RunKind
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.backup.case import Case
from trading_operator.plan.backup.cron import moments_between, next_moment
from trading_operator.plan.backup.jobs import Clockwork, cron_job_ref
from trading_operator.plan.moments import read_moment
from trading_operator.plan.observed import ref_of

_MOST_MISSED = 1000  # that are counted at once
# So much after a moment its Job is there, or at least the moment has passed.
_LATE = timedelta(seconds=2)


@dataclass(frozen=True)
class Outlook:
    """What comes, and what should have come."""

    since: datetime  # when the schedules came into force as they are
    next_run: datetime | None = None
    next_drill: datetime | None = None
    missed: tuple[datetime, ...] = ()  # newly found
    look_again: timedelta | None = None


def look_ahead(
    case: Case, schedules: Iterable[Clockwork], planned: Iterable[Manifest], now: datetime
) -> Outlook:
    """Return when runs are due, of the schedules that are in force."""
    cron_jobs = {ref_of(each): each for each in planned}
    awake = [
        each
        for each in schedules
        if (wanted := cron_jobs.get(cron_job_ref(case.owner, each.run))) is not None
        and not wanted["spec"]["suspend"]
    ]
    since = _in_force_since(case, cron_jobs.values(), now)
    missed = sorted({moment for each in awake for moment in _missed(case, each, since, now)})
    runs = [next_moment(each.cron, now) for each in awake if each.run is not RunKind.DRILL]
    drills = [next_moment(each.cron, now) for each in awake if each.run is RunKind.DRILL]
    return Outlook(
        since=since,
        next_run=min(filter(None, runs), default=None),
        next_drill=min(filter(None, drills), default=None),
        missed=tuple(missed),
        look_again=_look_again(awake, (*runs, *drills), now),
    )


def _in_force_since(case: Case, cron_jobs: Iterable[Manifest], now: datetime) -> datetime:
    """Return since when what is planned is what runs; now when that is about to change."""
    before = read_moment(case.before.scheduled_since)
    if before is None or before > now:
        return now
    return before if all(_runs_already(case, each) for each in cron_jobs) else now


def _runs_already(case: Case, wanted: Manifest) -> bool:
    live = case.observed.children.get(ref_of(wanted))
    if live is None:
        return False
    fields = ("schedule", "timeZone", "suspend", "startingDeadlineSeconds")
    return all(live["spec"].get(name) == wanted["spec"][name] for name in fields)


def _missed(case: Case, clockwork: Clockwork, since: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the moments at which a run should have begun and can begin no more.

    How many have been missed is counted once: what the status knows of is not looked at again.
    """
    live = case.observed.children.get(cron_job_ref(case.owner, clockwork.run))
    if live is None:
        return
    last = read_moment((live.get("status") or {}).get("lastScheduleTime"))
    told = read_moment(case.before.last_missed_run)
    begin = max(each for each in (since, last, told) if each is not None)
    until = now - timedelta(seconds=clockwork.deadline_seconds) - _LATE
    yield from moments_between(clockwork.cron, begin, until, _MOST_MISSED)


def _look_again(
    awake: Iterable[Clockwork], due: Iterable[datetime | None], now: datetime
) -> timedelta | None:
    """Return when the next moment has come, or when one that nobody used is missed."""
    waits = [moment - now + _LATE for moment in due if moment is not None]
    for each in awake:
        late = timedelta(seconds=each.deadline_seconds) + 2 * _LATE
        moment = next_moment(each.cron, now - late)
        if moment is not None:
            waits.append(moment + late - now)
    return min((max(each, _LATE) for each in waits), default=None)
