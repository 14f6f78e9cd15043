"""A Backup's plan: the order of its policies."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api.reasons import (
    HIBERNATED,
    RESTORING,
    SUSPENDED,
    SYSTEM_NOT_FOUND,
    WAITING_FOR_TARGET,
)
from trading_operator.manifests import cron_job
from trading_operator.manifests.config_map import build_config_map
from trading_operator.manifests.metadata import Manifest, build_labels_within
from trading_operator.plan.backup.answers import is_ending
from trading_operator.plan.backup.case import Case, Source
from trading_operator.plan.backup.job_file import build_job_files
from trading_operator.plan.backup.jobs import (
    Clockwork,
    plan_asked_jobs,
    plan_cron_jobs,
    plan_resting,
    read_schedules,
    used_config_maps,
)
from trading_operator.plan.backup.network import plan_job_network
from trading_operator.plan.backup.objectives import Standing, judge_objectives
from trading_operator.plan.backup.outlook import Outlook, look_ahead
from trading_operator.plan.backup.pods import Work
from trading_operator.plan.backup.record import Record, take_record
from trading_operator.plan.backup.repository import find_repository_block, plan_repository
from trading_operator.plan.backup.requests import standing_requests
from trading_operator.plan.backup.targets import Targets, plan_targets
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.prune import is_controlled
from trading_operator.plan.rollout.clock import soonest
from trading_operator.plan.sealing import seal
from trading_operator.plan.types import Block, Plan, SecretRequest

_CONFIG_MAP = "ConfigMap"
_PRUNABLE = frozenset({cron_job.KIND, "NetworkPolicy", _CONFIG_MAP})
# What a datastore's turn makes is not watched on behalf of Backups, and no event ends a wait.
_LOOK_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True)
class BackupPlan:
    """What should be there, and what the status has to know of how that was decided."""

    plan: Plan
    record: Record
    outlook: Outlook
    standing: Standing
    block: Block | None = None  # why nothing new begins; what is there stays as it is
    rests: str = ""  # why no backup begins by its schedule, a reason


@dataclass(frozen=True)
class _Draft:
    """What is written, and why it is not more than that."""

    objects: tuple[Manifest, ...] = ()
    secrets: tuple[SecretRequest, ...] = ()
    block: Block | None = None
    complete: bool = False  # what is not in it has left the spec


def plan_backup(case: Case, now: datetime) -> BackupPlan:
    """Return what should be there now; raises InvalidSpecError when the spec makes no sense."""
    schedules = read_schedules(case.spec)
    record = take_record(case.before, case.jobs, now, standing_requests(case))
    draft = _draft(case, schedules)
    outlook = look_ahead(case, schedules, _cron_jobs(case, draft), now)
    standing = judge_objectives(case.spec.objectives, record, outlook.since, now)
    plan = Plan(
        objects=tuple(map(seal, draft.objects)),
        generated_secrets=draft.secrets,
        prune=_plan_prune(case, draft),
        generation=case.owner.generation,
        requeue_after=soonest(
            outlook.look_again,
            standing.breaks_in,
            _LOOK_AGAIN if any(is_ending(job, now) for job in case.jobs) else None,
            draft.block.requeue_after if draft.block is not None else None,
        ),
    )
    return BackupPlan(plan, record, outlook, standing, draft.block, _rests(case))


def _rests(case: Case) -> str:
    if case.spec.suspend:
        return SUSPENDED
    if case.source is not None and case.source.spec.hibernated:
        return HIBERNATED
    return RESTORING if case.restored_by else ""


def _draft(case: Case, schedules: tuple[Clockwork, ...]) -> _Draft:
    source = case.source
    if source is None:
        return _Draft(tuple(plan_resting(case.owner, case.observed)), block=_missing_system(case))
    targets = plan_targets(case, source)
    unready = bool(targets.awaited) or not targets
    block = _missing_targets(targets, source) if unready else find_repository_block(case)
    if block is None:
        return _draft_all(case, source, targets, schedules)
    return _Draft(
        tuple(plan_resting(case.owner, case.observed)) if case.restored_by else (), block=block
    )


def _draft_all(
    case: Case, source: Source, targets: Targets, schedules: tuple[Clockwork, ...]
) -> _Draft:
    repository = plan_repository(case)
    files = build_job_files(case, source, targets, repository)
    labels = build_labels_within(case.spec.system, case.owner)
    config = build_config_map(case.owner, "job", files, labels)
    work = Work(case, source, targets, repository, config["metadata"]["name"])
    asleep = source.spec.hibernated
    objects = (
        *(() if repository.claim is None else (repository.claim,)),
        config,
        *plan_job_network(work, "jobs"),
        *plan_cron_jobs(work, schedules, rests=asleep or bool(case.restored_by)),
        *(() if asleep else plan_asked_jobs(work)),
    )
    secrets = () if repository.secret is None else (repository.secret,)
    return _Draft(objects, secrets, complete=True)


def _cron_jobs(case: Case, draft: _Draft) -> list[Manifest]:
    """Return the CronJobs as they will be: where nothing is planned, as they are."""
    planned = {ref_of(each): each for each in draft.objects if each["kind"] == cron_job.KIND}
    if draft.complete:
        return list(planned.values())
    live = {ref: each for ref, each in case.observed.children.items() if ref.kind == cron_job.KIND}
    return list({**live, **planned}.values())


def _plan_prune(case: Case, draft: _Draft) -> tuple[Ref, ...]:
    """Return what left the spec; never Jobs, whose history others keep, and never data."""
    if not draft.complete:
        return ()
    keep = {*map(ref_of, draft.objects), *_used(case)}
    return tuple(
        sorted(
            ref
            for ref, live in case.observed.children.items()
            if ref.kind in _PRUNABLE and ref not in keep and is_controlled(case.owner, live)
        )
    )


def _used(case: Case) -> Iterable[Ref]:
    return (Ref(_CONFIG_MAP, name) for name in used_config_maps(case))


def _missing_system(case: Case) -> Block:
    return Block(
        SYSTEM_NOT_FOUND,
        f"system: there is no TradingSystem {case.spec.system} in this namespace; create it, or "
        "make a Backup for another one. What was backed up stays",
    )


def _missing_targets(targets: Targets, source: Source) -> Block:
    if targets.awaited:
        message = f"waits until {', '.join(targets.awaited)} of {source.owner.name} is there"
    else:
        message = f"waits until {source.owner.name} has a datastore or a volume that is there"
    return Block(WAITING_FOR_TARGET, message, _LOOK_AGAIN)
