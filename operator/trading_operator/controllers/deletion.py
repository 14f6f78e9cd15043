"""One pass over a system that was deleted and stops in order before it goes."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from trading_operator.api.backup import KIND as BACKUP
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.reasons import LAST_BACKUP_NOT_TAKEN, STOP_DEADLINE_EXCEEDED
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import parse_backup_facts, parse_owner, parse_spec
from trading_operator.controllers.registry import Body
from trading_operator.controllers.report import Farewell, Report
from trading_operator.controllers.trading_state import known_status, try_restraint
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Key
from trading_operator.kube.errors import ApiError
from trading_operator.kube.finalizer import leaves_orphans, namespace_ends
from trading_operator.kube.read import key_of, read_observed, were_freed
from trading_operator.manifests.metadata import Owner
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.observe.deletion import (
    deadline_message,
    deletion_status,
    last_backup_events,
)
from trading_operator.observe.event_text import WARNING, EventText
from trading_operator.plan.deletion import (
    LOOK_AGAIN,
    plan_ending,
    plan_release,
    stop_deadline,
    were_orphaned,
)
from trading_operator.plan.last_backup import find_last_backup, wants_last_backup
from trading_operator.plan.observed import Observed
from trading_operator.plan.references import References
from trading_operator.plan.types import Applied

_LOOK_AGAIN_AT_ORPHANS = 1.0
_NOTHING = References(frozenset(), frozenset(), {})

_log = logging.getLogger(__name__)


async def end_trading_system(
    kube: Kube,
    operand: OperandSettings,
    body: Body,
    now: datetime,
    neighbours: Neighbours | None = None,
) -> Farewell:
    """Stop a deleted system in order, for as long as its spec allows. Raises ApiError."""
    owner, spec = parse_owner(body), _parse_spec(body)
    unstopped = await _find_unstopped(kube, owner, spec, body)
    if unstopped is not None:
        return unstopped
    if spec is not None:
        await try_restraint(kube, owner, spec, operand)  # once more when it is looked at again
    deadline = stop_deadline(spec, _deleted_at(body))
    # What is waited for depends on no Secret, so none that cannot be read holds it up.
    gathered = await read_observed(kube, owner, _NOTHING, body.get("status"))
    observed = _look_around(owner, spec, gathered.observed, neighbours)
    if were_orphaned(owner, observed):
        return Farewell()
    last = find_last_backup(owner, spec, observed, _deleted_at(body), now)
    if now >= deadline:
        release = plan_release(owner, spec, observed, last)
        _check_claims(await apply_plan(kube, owner, release, observed))
        message = deadline_message(body.get("status"), deadline)
        _log.warning("system goes at once", extra={"system": key_of(owner), "why": message})
        late = EventText(WARNING, STOP_DEADLINE_EXCEEDED, message)
        return Farewell(events=(*last_backup_events(last), late))
    ending = plan_ending(owner, spec, observed, operand, last)
    applied = await apply_plan(kube, owner, ending.plan, observed)
    if ending.done:
        _check_claims(applied)
        return Farewell(events=last_backup_events(last))
    status = deletion_status(owner, ending.blocks, deadline, known_status(kube, body), now)
    return Farewell(Report(status, min(LOOK_AGAIN, deadline - now).total_seconds()))


async def _find_unstopped(
    kube: Kube, owner: Owner, spec: TradingSystemSpec | None, body: Body
) -> Farewell | None:
    """Return the end of a system whose components are not the operator's to stop."""
    if leaves_orphans(body):
        return Farewell()
    if await namespace_ends(kube.transport, owner.namespace):
        return Farewell(events=_skipped_backup(spec))
    if await were_freed(kube, owner):
        # A write by what is known would take them back, and stop what is meant to go on.
        return Farewell(Report(known_status(kube, body) or {}, _LOOK_AGAIN_AT_ORPHANS))
    return None


def _look_around(
    owner: Owner,
    spec: TradingSystemSpec | None,
    observed: Observed,
    neighbours: Neighbours | None,
) -> Observed:
    """Add the Backup that is asked for the last backup, and the Restore that is in its way."""
    if spec is None or neighbours is None or not wants_last_backup(spec):
        return observed
    body = neighbours.find(Key(owner.namespace, spec.deletion.backup or "", BACKUP))
    backup = None if body is None else parse_backup_facts(body)
    return replace(observed, backup=backup, restore=neighbours.find_restore(key_of(owner)))


def _skipped_backup(spec: TradingSystemSpec | None) -> tuple[EventText, ...]:
    if not wants_last_backup(spec):
        return ()
    told = "its namespace is being deleted, where no Job can be made: there is no last backup"
    return (EventText(WARNING, LAST_BACKUP_NOT_TAKEN, told),)


def _check_claims(applied: Applied) -> None:
    """Raise ApiError when the end of the system would take data that is to stay, or leave some."""
    for failure in applied.failures:
        if failure.ref.kind == CLAIM_KIND:
            name = failure.ref.name
            raise ApiError(failure.status, "Refused", f"claim {name}: {failure.message}")


def seconds_to_deadline(body: Body, now: datetime) -> float:
    """Return in how many seconds a deleted system goes in any case."""
    left = stop_deadline(_parse_spec(body), _deleted_at(body)) - now
    return max(0.0, left.total_seconds())


def _parse_spec(body: Body) -> TradingSystemSpec | None:
    try:
        return parse_spec(body)
    except InvalidSpecError:
        return None


def _deleted_at(body: Body) -> datetime:
    return datetime.fromisoformat(body["metadata"]["deletionTimestamp"]).astimezone(UTC)
