"""One pass over a system that was deleted and stops in order before it goes."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.reasons import STOP_DEADLINE_EXCEEDED
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.controllers.parse import parse_owner, parse_spec
from trading_operator.controllers.systems import Body
from trading_operator.controllers.trading_system import Report
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.finalizer import leaves_orphans, namespace_ends
from trading_operator.kube.read import key_of, read_observed
from trading_operator.observe.deletion import deadline_message, deletion_status
from trading_operator.observe.events import WARNING, EventText
from trading_operator.plan.deletion import LOOK_AGAIN, plan_ending, stop_deadline
from trading_operator.plan.references import References, references

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Farewell:
    """Where the end of a system stands: `report` None means that it may go now."""

    report: Report | None = None
    event: EventText | None = None


async def end_trading_system(
    kube: Kube, operand: OperandSettings, body: Body, now: datetime
) -> Farewell:
    """Stop a deleted system in order, for as long as its spec allows. Raises ApiError."""
    if leaves_orphans(body) or await namespace_ends(kube.transport, body["metadata"]["namespace"]):
        return Farewell()
    owner, spec = parse_owner(body), _parse_spec(body)
    deadline = stop_deadline(spec, _deleted_at(body))
    if now >= deadline:
        message = deadline_message(body.get("status"), deadline)
        _log.warning("system goes at once", extra={"system": key_of(owner), "why": message})
        return Farewell(event=EventText(WARNING, STOP_DEADLINE_EXCEEDED, message))
    named = References(frozenset(), frozenset(), {}) if spec is None else references(owner, spec)
    gathered = await read_observed(kube, owner, named, body.get("status"))
    ending = plan_ending(owner, spec, gathered.observed, operand)
    await apply_plan(kube, owner, ending.plan, gathered.observed)
    if ending.done:
        return Farewell()
    status = deletion_status(owner, ending.blocks, deadline, body.get("status"), now)
    return Farewell(Report(status, min(LOOK_AGAIN, deadline - now).total_seconds()))


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
