"""One pass over a Backup."""

from collections.abc import Collection
from datetime import datetime

from trading_operator.api.backup import BackupSpec
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.reasons import BACKUP_NOT_TAKEN
from trading_operator.api.rollout import RolloutPhase
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import (
    parse_backup,
    parse_backup_status,
    parse_owner,
    parse_spec,
)
from trading_operator.controllers.registry import Body
from trading_operator.controllers.report import Report
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Key
from trading_operator.kube.read import key_of, soonest
from trading_operator.kube.read_backup import read_backup, read_children, read_jobs, read_source
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.backup import backup_status
from trading_operator.plan.backup.case import Case, Source, Wish
from trading_operator.plan.backup.jobs import plan_resting
from trading_operator.plan.backup.plan import plan_backup
from trading_operator.plan.backup.requests import end_request
from trading_operator.plan.rollout.commands import RETRY
from trading_operator.plan.sealing import seal
from trading_operator.plan.types import Plan


async def reconcile_backup(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours, body: Body, now: datetime
) -> Report:
    """Bring a Backup to its spec. Raises InvalidSpecError, ApiError."""
    try:
        return await _reconcile(kube, operand, neighbours, body, now)
    except InvalidSpecError:
        await _rest(kube, neighbours, body)
        raise


async def _reconcile(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours, body: Body, now: datetime
) -> Report:
    owner, spec = parse_owner(body), parse_backup(body)
    system_key = Key(owner.namespace, spec.system)
    system, restore = neighbours.find(system_key), neighbours.find_restore(system_key)
    asked = neighbours.asked_of(key_of(owner))
    gathered = await read_backup(kube, owner, spec)
    case = Case(
        owner=owner,
        spec=spec,
        observed=gathered.observed,
        operand=operand,
        source=None if system is None else find_source(kube, system, asked),
        jobs=read_jobs(kube, owner),
        before=parse_backup_status(body),
        wish=None if system is None else _find_wish(owner, spec, system),
        asked=asked,
        restored_by="" if restore is None else restore.name,
    )
    planned = plan_backup(case, now)
    applied = await apply_plan(kube, owner, planned.plan, gathered.observed)
    status = backup_status(applied, planned, case, body.get("status"), now)
    requeue = planned.plan.requeue_after
    due = soonest(
        None if requeue is None else requeue.total_seconds(),
        gathered.fresh_for,
        kube.refusals.due_in(key_of(owner)),
    )
    return Report(status, due)


async def _rest(kube: Kube, neighbours: Neighbours, body: Body) -> None:
    """Let no run of a Backup begin that makes no sense while its system is restored."""
    owner = parse_owner(body)
    system = Key(owner.namespace, str((body.get("spec") or {}).get("system", "")))
    if neighbours.find_restore(system) is not None:
        observed = read_children(kube, owner)
        objects = tuple(map(seal, plan_resting(owner, observed)))
        await apply_plan(kube, owner, Plan(objects, generation=owner.generation), observed)


def find_source(kube: Kube, system: Body, asked: Collection[str] = ()) -> Source | None:
    """Return the system as it is kept up; None of one that is on its way out, or makes no sense.

    One that waits for its last backup, and so has `asked` for it, is as good as any.
    """
    ends = "deletionTimestamp" in system["metadata"]
    if ends and end_request(system["metadata"]["uid"]) not in asked:
        return None
    try:
        return read_source(kube, parse_owner(system), parse_spec(system), system.get("status"))
    except InvalidSpecError:
        return None


def _find_wish(owner: Owner, spec: BackupSpec, system: Body) -> Wish | None:
    """Return the change of the system that waits for a backup by this very Backup."""
    rollout = (system.get("status") or {}).get("rollout") or {}
    asked = ((system.get("spec") or {}).get("rollout") or {}).get("backupBefore")
    held = (rollout.get("phase"), rollout.get("reason")) == (RolloutPhase.HELD, BACKUP_NOT_TAKEN)
    if not held or asked != owner.name or spec.system != system["metadata"]["name"]:
        return None
    retried = parse_owner(system).commands.get(RETRY, "")
    return Wish(rollout.get("revision", ""), rollout.get("since", ""), retried)
