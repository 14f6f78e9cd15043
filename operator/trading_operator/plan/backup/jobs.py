"""CronJobs of the schedules, and Jobs of what was asked for once."""

from collections.abc import Iterator
from dataclasses import dataclass

from trading_operator.api.backup import BackupSpec
from trading_operator.api.backup_status import RunKind
from trading_operator.api.common import parse_duration
from trading_operator.manifests import cron_job
from trading_operator.manifests.cron_job import Timing, build_cron_job, suspend_cron_job
from trading_operator.manifests.job import Limits, build_job, build_job_spec
from trading_operator.manifests.metadata import REQUEST, Manifest, Owner, child_name
from trading_operator.manifests.probe import whole_seconds
from trading_operator.plan.backup.case import Case
from trading_operator.plan.backup.cron import Cron, parse_cron
from trading_operator.plan.backup.pods import Work, build_run_template, run_labels
from trading_operator.plan.backup.requests import plan_requests
from trading_operator.plan.observed import Observed, Ref

_RETRIES = 2
_KEPT_SECONDS = 3 * 86400  # of a Job that was asked for once
# Where there is no schedule but that of the drills.
_TIME_ZONE, _STARTING_DEADLINE = "Etc/UTC", "30m"


@dataclass(frozen=True)
class Clockwork:
    """One schedule."""

    run: RunKind
    text: str
    cron: Cron
    time_zone: str
    deadline_seconds: int  # how late a run may begin


def read_schedules(spec: BackupSpec) -> tuple[Clockwork, ...]:
    """Return the schedules of a Backup; raises InvalidSpecError."""
    return tuple(_read_schedules(spec))


def cron_job_ref(owner: Owner, run: RunKind) -> Ref:
    """Return the CronJob of a schedule."""
    return Ref(cron_job.KIND, child_name(owner, run.value.lower()))


def plan_cron_jobs(work: Work, schedules: tuple[Clockwork, ...], *, rests: bool) -> list[Manifest]:
    """Return the CronJobs; while the system `rests` no backup begins."""
    return [_build_cron_job(work, each, rests=rests) for each in schedules]


def plan_resting(owner: Owner, observed: Observed) -> list[Manifest]:
    """Return the CronJobs that are there, suspended: there is nothing that they could back up."""
    return [
        suspend_cron_job(owner, live)
        for ref, live in sorted(observed.children.items())
        if ref.kind == cron_job.KIND
    ]


def plan_asked_jobs(work: Work) -> list[Manifest]:
    """Return the Jobs of what was asked for and has none yet.

    One that is there is left alone: it is immutable, and does what was asked for at the time.
    """
    return [_build_asked(work, request) for request in plan_requests(work.case)]


def used_config_maps(case: Case) -> frozenset[str]:
    """Return the names of the ConfigMaps that Jobs which are under way have mounted."""
    return frozenset(name for job in case.jobs if not job.is_over for name in job.config_maps)


def _read_schedules(spec: BackupSpec) -> Iterator[Clockwork]:
    asked = [(RunKind.DRILL, "verify.restoreDrill", spec.verify.restore_drill)]
    zone, deadline = _TIME_ZONE, _STARTING_DEADLINE
    if spec.schedule is not None:
        asked.append((RunKind.FULL, "schedule.full", spec.schedule.full))
        asked.append((RunKind.INCREMENTAL, "schedule.incremental", spec.schedule.incremental))
        zone, deadline = spec.schedule.time_zone, spec.schedule.starting_deadline
    seconds = whole_seconds(parse_duration(deadline))
    for run, path, text in asked:
        if text is not None:
            yield Clockwork(run, text, parse_cron(text, zone, path), zone, seconds)


def _build_cron_job(work: Work, clockwork: Clockwork, *, rests: bool) -> Manifest:
    spec, run = work.case.spec, clockwork.run
    timing = Timing(
        schedule=clockwork.text,
        time_zone=clockwork.time_zone,
        starting_deadline_seconds=clockwork.deadline_seconds,
        successful=spec.history_limits.successful,
        failed=spec.history_limits.failed,
        suspended=spec.suspend or (rests and run is not RunKind.DRILL),
    )
    job = build_job_spec(build_run_template(work, run), _limits(spec))
    name = cron_job_ref(work.case.owner, run).name
    return build_cron_job(work.case.owner, name, run_labels(work, run), timing, job)


def _build_asked(work: Work, request: str) -> Manifest:
    run = RunKind.SAFETY if request in work.case.asked else RunKind.FULL
    labels = {**run_labels(work, run), REQUEST: request}
    limits = _limits(work.case.spec, kept_seconds=_KEPT_SECONDS)
    job = build_job_spec(build_run_template(work, run), limits)
    return build_job(work.case.owner, child_name(work.case.owner, request), labels, job)


def _limits(spec: BackupSpec, kept_seconds: int | None = None) -> Limits:
    return Limits(whole_seconds(parse_duration(spec.deadline)), _RETRIES, kept_seconds)
