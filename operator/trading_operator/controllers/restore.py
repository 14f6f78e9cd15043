"""One pass over a Restore."""

from collections.abc import Iterator
from datetime import datetime

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.restore import OVER
from trading_operator.controllers.backup import find_source
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import (
    parse_backup,
    parse_backup_facts,
    parse_backup_status,
    parse_owner,
    parse_restore,
    parse_restore_status,
    parse_training,
)
from trading_operator.controllers.registry import Body
from trading_operator.controllers.report import Report
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Key
from trading_operator.kube.read import key_of, soonest
from trading_operator.kube.read_backup import read_backup, read_children, read_jobs
from trading_operator.kube.read_training import read_training_jobs
from trading_operator.kube.resources import BACKUPS
from trading_operator.observe.restore import restore_status
from trading_operator.plan.backup.case import Case
from trading_operator.plan.backup.requests import restore_request
from trading_operator.plan.restore.activity import find_activity
from trading_operator.plan.restore.case import RestoreCase, SystemState
from trading_operator.plan.restore.plan import plan_restore


async def reconcile_restore(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours, body: Body, now: datetime
) -> Report:
    """Bring a Restore one step on. Raises InvalidSpecError, ApiError."""
    owner, spec, before = parse_owner(body), parse_restore(body), parse_restore_status(body)
    jobs = read_jobs(kube, owner)
    backup_key = Key(owner.namespace, spec.backup, BACKUPS.kind)
    # What has begun goes on whatever becomes of its Backup.
    begun = bool(jobs) or before.job is not None or before.phase in OVER
    backup = None if begun else neighbours.find(backup_key)
    found = None if backup is None else await _read_case(kube, operand, neighbours, backup)
    asked = {} if backup is None else parse_backup_facts(backup).asked
    system = None if found is None else Key(owner.namespace, found.spec.system)
    address = next((job.address for job in jobs if not job.is_over), "")
    case = RestoreCase(
        owner=owner,
        spec=spec,
        observed=read_children(kube, owner),
        operand=operand,
        backup=found,
        saved=asked.get(restore_request(owner.uid, before.held_since or "")),
        system=SystemState() if system is None else _read_system(kube, neighbours, system),
        jobs=jobs,
        progress=await kube.progress.read(address),
        rival="" if system is None else neighbours.find_rival(key_of(owner), system),
        busy=()
        if system is None
        else (
            *_find_activity(kube, neighbours, system, backup_key),
            *_find_trainings(kube, neighbours, system, frozenset(before.targets)),
        ),
        before=before,
    )
    planned = plan_restore(case, now)
    applied = await apply_plan(kube, owner, planned.plan, case.observed)
    status = restore_status(applied, planned, case, body.get("status"), now)
    requeue = planned.plan.requeue_after
    seconds = None if requeue is None else requeue.total_seconds()
    return Report(status, soonest(seconds, kube.refusals.due_in(key_of(owner))))


async def _read_case(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours, body: Body
) -> Case:
    owner, spec = parse_owner(body), parse_backup(body)
    system = neighbours.find(Key(owner.namespace, spec.system))
    gathered = await read_backup(kube, owner, spec)
    source = None if system is None else find_source(kube, system)
    return Case(
        owner=owner,
        spec=spec,
        observed=gathered.observed,
        operand=operand,
        source=source,
        jobs=read_jobs(kube, owner),
        before=parse_backup_status(body),
    )


def _find_activity(kube: Kube, neighbours: Neighbours, system: Key, but: Key) -> tuple[str, ...]:
    """Return what the other Backups of a system do, or could begin."""
    owners = map(parse_owner, neighbours.find_backups(system, but))
    return tuple(
        each
        for owner in owners
        for each in find_activity(owner, read_children(kube, owner), read_jobs(kube, owner))
    )


def _find_trainings(
    kube: Kube, neighbours: Neighbours, system: Key, targets: frozenset[str]
) -> Iterator[str]:
    """Yield the trainings that read or write what is restored, until nothing of them runs."""
    for body in neighbours.find_trainings(system):
        try:
            spec = parse_training(body)
        except InvalidSpecError:
            continue  # it begins nothing; what it began is no more than its Jobs
        if targets.isdisjoint({spec.dataset.source, spec.volume}):
            continue
        owner = parse_owner(body)
        jobs, lingering = read_training_jobs(kube, owner)
        yield from (f"Job {job.name}" for job in jobs if not job.is_over)
        if lingering:
            yield f"pods of ModelTrainingJob {owner.name}"


def _read_system(kube: Kube, neighbours: Neighbours, key: Key) -> SystemState:
    status = (neighbours.find(key) or {}).get("status") or {}
    lines = status.get("components") or ()
    return SystemState(
        rollout=(status.get("rollout") or {}).get("phase", ""),
        states={line["name"]: line["state"] for line in lines},
        pods=kube.cache.pods(key),
    )
