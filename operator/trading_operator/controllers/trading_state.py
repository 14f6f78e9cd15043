"""Orders to trade less: they reach the services whatever else is wrong with their system."""

import logging
from typing import Any

from trading_operator.api.trading_system import TradingState, TradingSystemSpec
from trading_operator.controllers.parse import parse_owner
from trading_operator.controllers.registry import Body
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_restraint
from trading_operator.kube.cache import Id
from trading_operator.kube.errors import ApiError
from trading_operator.kube.read import key_of
from trading_operator.plan.draft import System
from trading_operator.plan.observed import Observed
from trading_operator.plan.trading_state import plan_restraint, trading_state_ref
from trading_operator.plan.types import Manifest, Owner, told_state

_log = logging.getLogger(__name__)


async def try_restraint(
    kube: Kube, owner: Owner, spec: TradingSystemSpec, operand: OperandSettings
) -> ApiError | None:
    """Tell services at once when they may trade less; returns what kept one from hearing it.

    Only the cache is read: a Secret or a StorageClass that cannot be read delays no order.
    """
    if spec.trading_state is TradingState.ACTIVE:
        return None
    file, live, key = trading_state_ref(owner), _find_file(kube, owner), key_of(owner)
    observed = Observed(
        children={} if live is None else {file: live},
        foreign=kube.foreign.known(key),
        pods=kube.cache.pods(key),
    )
    plan = plan_restraint(System(owner, spec, observed, operand))
    try:
        await apply_restraint(kube, owner, plan, observed)
    except ApiError as error:
        _log.warning("trading state not told", extra={"system": key, "error": str(error)})
        return error
    return None


def known_status(kube: Kube, body: Body) -> dict[str, Any] | None:
    """Return the last status, but with the trading state that services read by now."""
    previous, live = body.get("status"), _find_file(kube, parse_owner(body))
    told = None if live is None else told_state(live)
    if told not in set(TradingState):
        return None if previous is None else dict(previous)
    return {**(previous or {}), "tradingState": told}


def _find_file(kube: Kube, owner: Owner) -> Manifest | None:
    file = trading_state_ref(owner)
    entry = kube.cache.get(Id(file.kind, owner.namespace, file.name))
    return entry.manifest if entry is not None and owner.uid in entry.owner_uids else None
