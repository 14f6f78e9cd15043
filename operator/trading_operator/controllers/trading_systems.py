"""Trading systems as a kind: what is particular about passes over them."""

import functools
from typing import NamedTuple

from trading_operator.controllers.deletion import end_trading_system, seconds_to_deadline
from trading_operator.controllers.kind import Kind, Parting
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.registry import Body, Registry
from trading_operator.controllers.trading_state import known_status
from trading_operator.controllers.trading_system import reconcile_trading_system
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.resources import TRADING_SYSTEMS
from trading_operator.observe.deletion import asks_for_last_backup
from trading_operator.observe.events import events_between
from trading_operator.observe.trading_system import invalid_status


class SystemFacts(NamedTuple):
    """What is asked for often of a trading system."""

    hibernated: bool
    backup_before: str  # name of the Backup that its changes wait for, "" for none
    last_backup: str  # name of the Backup that its end waits for, "" for none


Systems = Registry[SystemFacts]


def read_facts(body: Body) -> SystemFacts:
    """Return what is asked for often of a system."""
    spec = body.get("spec") or {}
    backup = (spec.get("rollout") or {}).get("backupBefore")
    return _share(bool(spec.get("hibernated")), str(backup or ""), _find_last_backup(body))


@functools.lru_cache(maxsize=1024)
def _share(hibernated: bool, backup_before: str, last_backup: str) -> SystemFacts:
    # Most systems have the same.
    return SystemFacts(hibernated, backup_before, last_backup)


def _find_last_backup(body: Body) -> str:
    """Return the Backup that a deleted system asks for, once nothing else is awaited."""
    if "deletionTimestamp" not in body["metadata"] or not asks_for_last_backup(body.get("status")):
        return ""
    return str(((body.get("spec") or {}).get("deletion") or {}).get("backup") or "")


def build_trading_systems(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours
) -> Kind[SystemFacts]:
    """Build the kind of the trading systems."""
    end = functools.partial(end_trading_system, kube, operand, neighbours=neighbours)
    return Kind(
        resource=TRADING_SYSTEMS,
        read_facts=read_facts,
        reconcile=functools.partial(reconcile_trading_system, kube, operand, neighbours=neighbours),
        invalid_status=invalid_status,
        known_status=known_status,
        tell=events_between,
        parting=Parting(end, seconds_to_deadline),
        changed=neighbours.system_changed,
        urgent=True,
    )
