"""What is known of the runs: what the status remembers, and what their Jobs say now.

Jobs go after a while, so everything that they said is taken over once; taking it over again changes
nothing.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trading_operator.api import reasons
from trading_operator.api.backup_status import (
    MAX_COMPARISONS,
    MAX_REQUESTS,
    MAX_SETS,
    MAX_TARGETS,
    WORDS_LENGTH,
    BackupSet,
    BackupStatus,
    Comparison,
    Outcome,
    Request,
    Run,
    RunKind,
    VerifiedRestore,
)
from trading_operator.plan.backup.answers import Answer, is_ending, read_answer
from trading_operator.plan.backup.case import JobFacts
from trading_operator.plan.moments import read_moment

_WARNINGS = 8
_RUNS = frozenset(RunKind) - {RunKind.RESTORE}


@dataclass(frozen=True)
class Record:
    """What is known of the runs."""

    running: tuple[Run, ...] = ()
    last_run: Run | None = None
    last_drill: Run | None = None
    last_sets: tuple[BackupSet, ...] = ()
    sets: int | None = None
    verified: VerifiedRestore | None = None
    differing: tuple[Comparison, ...] = ()
    requests: tuple[Request, ...] = ()

    @property
    def newest(self) -> BackupSet | None:
        """Return the newest set."""
        return next(iter(self.last_sets), None)

    @property
    def gap(self) -> timedelta | None:
        """Return the time between the data of the two newest sets."""
        times = [read_moment(each.data_as_of or each.ended_at) for each in self.last_sets[:2]]
        if len(times) < 2 or times[0] is None or times[1] is None:
            return None
        return max(timedelta(), times[0] - times[1])


@dataclass(frozen=True)
class _Ended:
    """A run that ended, with what it says of itself."""

    job: JobFacts
    run: Run
    answer: Answer | None

    @property
    def went_well(self) -> bool:
        return self.run.outcome is Outcome.SUCCEEDED


def take_record(
    before: BackupStatus, jobs: Iterable[JobFacts], now: datetime, standing: Set[str] = frozenset()
) -> Record:
    """Return what is known of the runs by now; `standing` are requests that are never forgotten."""
    ours = (job for job in jobs if job.run in _RUNS and not _is_settled(before, job))
    known = [_as_running(job) if is_ending(job, now) else job for job in ours]
    ended = sorted(map(_end, (job for job in known if job.is_over)), key=_by_end)
    backups = [each for each in ended if each.run.kind is not RunKind.DRILL]
    drills = [each for each in ended if each.run.kind is RunKind.DRILL]
    newest, last_drill = _newest_count(before, backups), _later(before.last_drill, drills)
    return Record(
        running=tuple(_build_run(job, None) for job in known if not job.is_over),
        last_run=_later(before.last_run, backups),
        last_drill=last_drill,
        last_sets=tuple(_merge_sets(before, backups))[: _most_sets(newest)],
        sets=newest,
        verified=_verified(before, drills),
        differing=_differing(before, last_drill, drills),
        requests=tuple(_merge_requests(before.requests, known, standing)),
    )


def _is_settled(before: BackupStatus, job: JobFacts) -> bool:
    """Tell whether a Job says nothing any more, and what it said is remembered.

    A Job stays for days, but its pod goes with a node that is drained.
    """
    if not job.is_over or read_answer(job.words) is not None:
        return False
    runs = {(each.job, each.ended_at) for each in (before.last_run, before.last_drill) if each}
    asked = {each.job for each in before.requests if each.outcome is not Outcome.RUNNING}
    return (job.name, job.ended_at) in runs or job.name in asked


def _as_running(job: JobFacts) -> JobFacts:
    return replace(job, outcome=Outcome.RUNNING.value, ended_at="")


def _end(job: JobFacts) -> _Ended:
    answer = read_answer(job.words)
    return _Ended(job, _build_run(job, answer), answer)


def _by_end(ended: _Ended) -> str:
    return ended.run.ended_at or ""


def _build_run(job: JobFacts, answer: Answer | None) -> Run:
    outcome, reason, message = _judge(job, answer)
    return Run(
        kind=RunKind(job.run),
        job=job.name,
        outcome=outcome,
        started_at=job.started_at or job.created_at or None,
        ended_at=job.ended_at or None,
        reason=reason or None,
        message=message[:WORDS_LENGTH] or None,
    )


def _judge(job: JobFacts, answer: Answer | None) -> tuple[Outcome, str, str]:
    """Say how a run ended: only a program that says so and a Job that agrees have gone well."""
    if not job.is_over:
        return Outcome.RUNNING, "", job.waits
    if job.outcome == Outcome.SUCCEEDED:
        if answer is not None and answer.went_well and answer.set is not None:
            return Outcome.SUCCEEDED, "", answer.message
        return Outcome.FAILED, reasons.NO_ANSWER, "its pod ended without saying what it had done"
    if answer is not None and not answer.went_well:
        return Outcome.FAILED, answer.reason or job.reason, answer.message or job.message
    return Outcome.FAILED, job.reason, job.words.strip() or job.message


def _later(before: Run | None, ended: list[_Ended]) -> Run | None:
    if not ended:
        return before
    newest = ended[-1].run
    if before is not None and (before.ended_at or "") > (newest.ended_at or ""):
        return before
    return newest


def _newest_count(before: BackupStatus, backups: list[_Ended]) -> int | None:
    known = next((each.ended_at for each in before.last_sets if each.ended_at), "")
    told = [
        each.answer.sets
        for each in backups
        if each.went_well and each.answer is not None and _by_end(each) >= known
    ]
    newest = next((each for each in reversed(told) if each is not None), None)
    return before.sets if newest is None else newest


def _most_sets(count: int | None) -> int:
    return MAX_SETS if count is None else min(MAX_SETS, count)


def _merge_sets(before: BackupStatus, backups: Iterable[_Ended]) -> list[BackupSet]:
    """Return the sets that runs made and no later run deleted."""
    sets = {each.id: each for each in before.last_sets}
    # What older runs made was taken over, and may have been deleted since.
    known = (before.last_run.ended_at if before.last_run is not None else None) or ""
    for each in backups:
        answer = each.answer
        if not each.went_well or answer is None or answer.set is None or _by_end(each) < known:
            continue
        sets[answer.set] = _build_set(each, answer, answer.set)
        if answer.kept:
            last, kept = max(answer.kept), answer.kept
            sets = {name: told for name, told in sets.items() if name in kept or name > last}
    return sorted(sets.values(), key=lambda each: each.id, reverse=True)


def _build_set(ended: _Ended, answer: Answer, name: str) -> BackupSet:
    full = answer.mode != RunKind.INCREMENTAL.value
    return BackupSet(
        id=name,
        # An incremental run that found nothing to build on has made a full set.
        kind=RunKind.FULL if full else RunKind.INCREMENTAL,
        job=ended.job.name,
        data_as_of=answer.data_as_of,
        ended_at=ended.run.ended_at,
        bytes=answer.bytes,
        added_bytes=answer.added_bytes,
        warnings=list(answer.warnings[:_WARNINGS]),
    )


def _verified(before: BackupStatus, drills: list[_Ended]) -> VerifiedRestore | None:
    proven = [each for each in drills if each.went_well]
    if not proven:
        return before.last_verified_restore
    newest = proven[-1]
    answer, at = newest.answer, newest.run.ended_at
    known = before.last_verified_restore
    if answer is None or answer.set is None or at is None or (known and known.at > at):
        return known
    return VerifiedRestore(
        at=at,
        set=answer.set,
        data_as_of=answer.data_as_of,
        rto_seconds=answer.rto_seconds,
        compared=max(answer.compared, len(answer.comparison)),
        comparison=list(_comparisons(answer)),
    )


def _differing(
    before: BackupStatus, last: Run | None, drills: list[_Ended]
) -> tuple[Comparison, ...]:
    newest = next((each for each in drills if each.run == last), None)
    if newest is None:
        return tuple(before.last_comparison)
    if newest.went_well or newest.answer is None:
        return ()
    return tuple(each for each in _comparisons(newest.answer) if not each.equal)


def _comparisons(answer: Answer) -> Iterator[Comparison]:
    for each in answer.comparison[:MAX_COMPARISONS]:
        yield Comparison.model_validate(each.model_dump())


def _merge_requests(
    before: Iterable[Request], jobs: Iterable[JobFacts], standing: Set[str]
) -> list[Request]:
    """Return the requests, newest first; the ones that still stand are never lost."""
    found = {each.id: each for each in before}
    for job in sorted(jobs, key=lambda each: each.created_at):
        if job.request in found:
            found[job.request] = _build_request(job)
        elif job.request:
            found = {job.request: _build_request(job), **found}
    kept = sorted(found, key=lambda each: each not in standing)[:MAX_REQUESTS]
    return [each for each in found.values() if each.id in kept]


def _build_request(job: JobFacts) -> Request:
    answer = read_answer(job.words) if job.is_over else None
    run = _build_run(job, answer)
    made = answer if run.outcome is Outcome.SUCCEEDED else None
    held = dict.fromkeys(each.name for each in made.targets) if made is not None else {}
    return Request(
        id=job.request,
        job=job.name,
        outcome=run.outcome,
        set=made.set if made is not None else None,
        targets=list(held)[:MAX_TARGETS],
        message=run.message,
    )
