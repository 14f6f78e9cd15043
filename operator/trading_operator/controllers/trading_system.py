"""One pass over a trading system."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_operator.controllers.parse import parse_owner, parse_spec
from trading_operator.controllers.systems import Body
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.read import key_of, read_observed
from trading_operator.observe.trading_system import trading_system_status
from trading_operator.plan.references import references
from trading_operator.plan.trading_system import plan_trading_system


@dataclass(frozen=True)
class Report:
    """The status that a pass found, and in how many seconds the next one is due."""

    status: dict[str, Any]
    due_in: float | None = None


async def reconcile_trading_system(
    kube: Kube, operand: OperandSettings, body: Body, now: datetime
) -> Report:
    """Bring a system to its spec. Raises InvalidSpecError, ApiError."""
    owner, spec, previous = parse_owner(body), parse_spec(body), body.get("status")
    gathered = await read_observed(kube, owner, references(owner, spec), previous)
    plan = plan_trading_system(owner, spec, gathered.observed, now, operand)
    applied = await apply_plan(kube, owner, plan, gathered.observed)
    status = trading_system_status(applied, spec, gathered.observed, previous, now)
    planned = plan.requeue_after.total_seconds() if plan.requeue_after is not None else None
    due = (planned, gathered.fresh_for, kube.refusals.due_in(key_of(owner)))
    return Report(status, min((each for each in due if each is not None), default=None))
