"""One pass over a trading system."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from trading_operator.api.backup import KIND as BACKUP
from trading_operator.api.reasons import DEGRADED
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import parse_backup_facts, parse_owner, parse_spec
from trading_operator.controllers.registry import Body
from trading_operator.controllers.report import Report
from trading_operator.controllers.trading_state import try_restraint
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Key
from trading_operator.kube.finalizer import has_finalizer, keep_finalizer, namespace_ends
from trading_operator.kube.read import key_of, read_observed, read_revisions
from trading_operator.observe.rolling import rolling_events
from trading_operator.observe.trading_system import trading_system_status
from trading_operator.plan.deletion import needs_ordered_stop
from trading_operator.plan.observed import BackupFacts, PodFacts, RestoreFacts, Selection
from trading_operator.plan.rollout.needs import needed_references
from trading_operator.plan.trading_system import plan_trading_system
from trading_operator.plan.types import InvalidSpecError, Owner


@dataclass(frozen=True)
class Around:
    """What other resources of ours say that a system has to heed."""

    backup: BackupFacts | None = None  # that its changes wait for
    restore: RestoreFacts | None = None  # that is under way
    selections: tuple[Selection, ...] = ()  # of models


async def reconcile_trading_system(
    kube: Kube,
    operand: OperandSettings,
    body: Body,
    now: datetime,
    neighbours: Neighbours | None = None,
) -> Report:
    """Bring a system to its spec. Raises InvalidSpecError, ApiError."""
    owner, untold = parse_owner(body), None
    try:
        spec = parse_spec(body)
        untold = await try_restraint(kube, owner, spec, operand)
        around = Around() if neighbours is None else _look_around(owner, spec, neighbours)
        return await _reconcile(kube, operand, body, (spec, around), now)
    except InvalidSpecError as error:
        # Nothing is changed but what ends.
        pods = kube.cache.pods(key_of(owner))
        await _settle_finalizer(kube, body, has_finalizer(body), pods)
        if untold is not None:
            raise untold from error  # tried again soon, which a spec that makes no sense is not
        raise


def _look_around(owner: Owner, spec: TradingSystemSpec, neighbours: Neighbours) -> Around:
    name = spec.rollout.backup_before
    body = None if name is None else neighbours.find(Key(owner.namespace, name, BACKUP))
    backup = None if body is None else parse_backup_facts(body)
    key = key_of(owner)
    return Around(backup, neighbours.find_restore(key), neighbours.selections_of(key))


async def _reconcile(
    kube: Kube,
    operand: OperandSettings,
    body: Body,
    given: tuple[TradingSystemSpec, Around],
    now: datetime,
) -> Report:
    spec, around = given
    owner, previous = parse_owner(body), body.get("status")
    needed = needed_references(owner, spec, read_revisions(kube, owner), previous)
    gathered = await read_observed(kube, owner, needed, previous)
    observed = replace(
        gathered.observed,
        backup=around.backup,
        restore=around.restore,
        selections=around.selections,
    )
    gathered = replace(gathered, observed=observed)
    plan = plan_trading_system(owner, spec, gathered.observed, now, operand)
    if plan.wants_capacity:  # a change is about to begin
        observed = replace(gathered.observed, capacity=await kube.capacity.read(owner.namespace))
        plan = plan_trading_system(owner, spec, observed, now, operand)
    # Before anything is made that has to stop in order; while paused nothing is.
    as_it_is = spec.paused and has_finalizer(body)
    wanted = as_it_is or (not spec.paused and needs_ordered_stop(spec, gathered.observed, plan))
    body = await _settle_finalizer(kube, body, wanted, gathered.observed.pods)
    applied = await apply_plan(kube, owner, plan, gathered.observed)
    status = trading_system_status(applied, spec, gathered.observed, previous, now)
    planned = plan.requeue_after.total_seconds() if plan.requeue_after is not None else None
    due = (planned, gathered.fresh_for, kube.refusals.due_in(key_of(owner)))
    events = tuple(rolling_events(applied, gathered.observed))
    due_in = min((each for each in due if each is not None), default=None)
    return Report(status, due_in, body, events)


async def _settle_finalizer(kube: Kube, body: Body, wanted: bool, pods: Iterable[PodFacts]) -> Body:
    """Keep the finalizer while it is needed; one that is there never holds up its namespace.

    When a namespace goes, its pods go first, and the rights of an operator that serves that
    namespace alone go with it: there may be no later moment.
    """
    doubtful = not has_finalizer(body) or any(pod.deleting for pod in pods)
    if wanted and (doubtful or _has_lost_pods(body)):
        wanted = not await namespace_ends(kube.transport, body["metadata"]["namespace"])
    return await keep_finalizer(kube.transport, body, wanted)


def _has_lost_pods(body: Body) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(each["type"] == DEGRADED and each["status"] == "True" for each in conditions)
