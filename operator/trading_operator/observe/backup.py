"""A Backup's whole status, computed from what was applied and what its runs say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.backup import BackupSpec
from trading_operator.api.backup_status import LARGEST_COUNT, BackupStatus, Outcome, Run
from trading_operator.api.errors import InvalidSpecError
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.verdict import (
    Status,
    Verdict,
    build_conditions,
    judged_status,
    shorten,
)
from trading_operator.plan.backup.case import Case
from trading_operator.plan.backup.plan import BackupPlan
from trading_operator.plan.gating import format_time
from trading_operator.plan.types import Applied, Failure

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
# Why a Job's controller gave up for good: no repetition would help.
_PERMANENT = "PodFailurePolicy"
_RESTS = {
    reasons.SUSPENDED: "no backup begins by its schedule while spec.suspend is true",
    reasons.HIBERNATED: "no backup begins while the system hibernates",
    reasons.RESTORING: "no backup begins while data of the system are restored",
}


@dataclass(frozen=True)
class _Picture:
    """What the conditions are computed from."""

    case: Case
    planned: BackupPlan
    failures: Sequence[Failure]

    @property
    def spec(self) -> BackupSpec:
        return self.case.spec


def backup_status(
    applied: Applied,
    planned: BackupPlan,
    case: Case,
    previous: Mapping[str, Any] | None,
    now: datetime,
) -> Status:
    """Return the complete status as it goes over the wire."""
    record, outlook, before = planned.record, planned.outlook, previous or {}
    picture = _Picture(case, planned, applied.failures)
    generation = case.owner.generation
    missed = outlook.missed[-1] if outlook.missed else None
    status = BackupStatus(
        observed_generation=generation,
        last_success=record.newest.ended_at if record.newest is not None else None,
        size=describe_size(record.newest.bytes) if record.newest is not None else None,
        scheduled_since=format_time(outlook.since),
        next_run=None if outlook.next_run is None else format_time(outlook.next_run),
        next_drill=None if outlook.next_drill is None else format_time(outlook.next_drill),
        sets=record.sets,
        last_sets=list(record.last_sets),
        running=list(record.running)[:8],
        last_run=record.last_run,
        last_drill=record.last_drill,
        last_comparison=list(record.differing),
        last_verified_restore=record.verified,
        missed_runs=min(LARGEST_COUNT, case.before.missed_runs + len(outlook.missed)),
        last_missed_run=case.before.last_missed_run if missed is None else format_time(missed),
        measured_rpo_seconds=_seconds(record.gap),
        measured_rto_seconds=record.verified.rto_seconds if record.verified is not None else None,
        requests=list(record.requests),
        conditions=build_conditions(list(_verdicts(picture)), generation, before, now),
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def invalid_backup_status(
    owner: Owner, error: InvalidSpecError, previous: Mapping[str, Any] | None, now: datetime
) -> Status:
    """Return the status of a spec that makes no sense: what is there is left as it is."""
    message, before = str(error), dict(previous or {})
    found = (
        Verdict(reasons.READY, False, reasons.INVALID_SPEC, message),
        Verdict(reasons.RECONCILING, False, reasons.INVALID_SPEC, "waits for the spec's mend"),
        Verdict(reasons.STALLED, True, reasons.INVALID_SPEC, message),
    )
    return {**judged_status(owner, found, before, now), "observedGeneration": owner.generation}


def describe_size(amount: int | None) -> str | None:
    """Return a number of bytes as people write it."""
    if amount is None:
        return None
    size, unit = float(amount), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds())


def _verdicts(picture: _Picture) -> Iterator[Verdict]:
    """Yield all conditions; kstatus reads Reconciling before Stalled."""
    yield _ready(picture)
    yield _reconciling(picture)
    yield _stalled(picture)
    yield _succeeded(picture)
    last_drill = picture.planned.record.last_drill
    if last_drill is not None:
        yield _proven(picture, last_drill)
    if picture.spec.objectives is not None:
        yield _objectives_met(picture)


def _ready(picture: _Picture) -> Verdict:
    block, last = picture.planned.block, picture.planned.record.last_run
    if picture.failures:
        return Verdict(reasons.READY, False, reasons.REFUSED, _refusals(picture.failures))
    if block is not None:
        return Verdict(reasons.READY, False, block.reason, shorten(block.message))
    if last is not None and last.outcome is Outcome.FAILED:
        return Verdict(reasons.READY, False, reasons.BACKUP_FAILED, _last_words(last))
    if picture.spec.schedule is None and last is None:
        message = "the backup was not taken yet"
        return Verdict(reasons.READY, False, reasons.NO_BACKUP_YET, message)
    if picture.planned.rests:
        return Verdict(reasons.READY, True, picture.planned.rests, _RESTS[picture.planned.rests])
    return Verdict(reasons.READY, True, reasons.BACKUPS_TAKEN, "backups are taken as the spec says")


def _reconciling(picture: _Picture) -> Verdict:
    running, block = picture.planned.record.running, picture.planned.block
    if running:
        told = "; ".join(_describe_running(each) for each in running)
        return Verdict(reasons.RECONCILING, True, reasons.BACKUP_RUNNING, shorten(told))
    if block is not None and block.reason == reasons.WAITING_FOR_TARGET:
        return Verdict(reasons.RECONCILING, True, block.reason, shorten(block.message))
    return Verdict(reasons.RECONCILING, False, reasons.SETTLED, "no run is under way")


def _stalled(picture: _Picture) -> Verdict:
    block, last = picture.planned.block, picture.planned.record.last_run
    if picture.failures:
        return Verdict(reasons.STALLED, True, reasons.REFUSED, _refusals(picture.failures))
    if block is not None and block.reason != reasons.WAITING_FOR_TARGET:
        return Verdict(reasons.STALLED, True, block.reason, shorten(block.message))
    if last is not None and last.outcome is Outcome.FAILED and _is_for_a_person(picture, last):
        return Verdict(reasons.STALLED, True, reasons.BACKUP_FAILED, _last_words(last))
    message = "nothing waits for a person"
    return Verdict(reasons.STALLED, False, reasons.NOTHING_STALLED, message)


def _is_for_a_person(picture: _Picture, last: Run) -> bool:
    """Tell whether no later run will mend a failure: there is none, or its cause is the same."""
    gave_up = any(job.name == last.job and job.reason == _PERMANENT for job in picture.case.jobs)
    return gave_up or picture.spec.schedule is None


def _succeeded(picture: _Picture) -> Verdict:
    last = picture.planned.record.last_run
    if last is None:
        message = "no backup was taken yet"
        return Verdict(reasons.SUCCEEDED, False, reasons.NO_BACKUP_YET, message)
    if last.outcome is Outcome.FAILED:
        return Verdict(reasons.SUCCEEDED, False, reasons.BACKUP_FAILED, _last_words(last))
    message = f"{last.job} ended well at {last.ended_at}"
    return Verdict(reasons.SUCCEEDED, True, reasons.BACKUP_SUCCEEDED, message)


def _proven(picture: _Picture, last: Run) -> Verdict:
    verified = picture.planned.record.verified
    if last.outcome is Outcome.FAILED or verified is None:
        return Verdict(reasons.RESTORE_PROVEN, False, reasons.DRILL_FAILED, _last_words(last))
    message = f"set {verified.set} was restored in {verified.rto_seconds} s and is what it was"
    return Verdict(reasons.RESTORE_PROVEN, True, reasons.DRILL_SUCCEEDED, message)


def _objectives_met(picture: _Picture) -> Verdict:
    standing = picture.planned.standing
    breaches = standing.breaches
    if not breaches and standing.unmeasured:
        message = "nothing is broken, but no drill has measured a restore yet"
        return Verdict(reasons.OBJECTIVES_MET, True, reasons.NO_DRILL_YET, message)
    if not breaches:
        message = "a loss costs no more than the objectives say"
        return Verdict(reasons.OBJECTIVES_MET, True, reasons.WITHIN_OBJECTIVES, message)
    told = shorten("; ".join(each.message for each in breaches))
    return Verdict(reasons.OBJECTIVES_MET, False, breaches[0].reason, told)


def _describe_running(run: Run) -> str:
    told = f"{run.kind.value} run {run.job}"
    return f"{told} waits: {run.message}" if run.message else f"{told} is under way"


def _last_words(run: Run) -> str:
    told = f"{run.job} failed"
    return shorten(": ".join(filter(None, (told, run.reason, run.message))))


def _refusals(failures: Sequence[Failure]) -> str:
    return shorten("; ".join(f"{f.ref.kind} {f.ref.name}: {f.message}" for f in failures))
