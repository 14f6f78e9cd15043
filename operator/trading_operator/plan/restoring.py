"""A system whose data are restored: what uses them stops, and no order is sent until one says so.

Orders that were sent after the backup are in no restored journal: a strategy that went on by itself
would trade on positions of the past.
"""

from collections.abc import Set
from dataclasses import replace

from trading_operator.api.datastore import Datastore
from trading_operator.api.service import Service
from trading_operator.api.trading_system import TradingState, TradingSystemSpec
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.draft import System
from trading_operator.plan.observed import Halt, Observed, RestoreFacts
from trading_operator.plan.rollout.commands import RESUME_TRADING
from trading_operator.plan.trading_state import read_halt


def restrain(
    owner: Owner, spec: TradingSystemSpec, observed: Observed
) -> tuple[TradingSystemSpec, Observed]:
    """Return a spec under which no order is sent while data are restored, and afterwards.

    It ends when a person names this Restore in a command, or takes the state over by asking for
    Halted in the spec.
    """
    halt = _find_halt(owner, spec, observed)
    if halt is None:
        return spec, observed
    halted = spec.model_copy(update={"trading_state": TradingState.HALTED})
    return halted, replace(observed, halt=halt)


def resting_components(system: System) -> frozenset[str]:
    """Return the components that stop while data are restored."""
    restore = system.observed.restore
    return frozenset() if restore is None else users_of(system.spec, restore.targets)


def users_of(spec: TradingSystemSpec, targets: frozenset[str]) -> frozenset[str]:
    """Return the components that use datastores or volumes, directly or through others."""
    found = {
        service.name
        for service in spec.services
        if any(mount.name in targets for mount in service.volumes)
    }
    while more := {each.name for each in spec.components if _needs(each, found | targets)} - found:
        found |= more
    return frozenset(found) - targets


def _needs(component: Datastore | Service, names: Set[str]) -> bool:
    return any(dependency.name in names for dependency in component.depends_on)


def _find_halt(owner: Owner, spec: TradingSystemSpec, observed: Observed) -> Halt | None:
    command = owner.commands.get(RESUME_TRADING, "")
    known, restore = read_halt(owner, observed), observed.restore
    if restore is not None:
        goes_on = known is not None and known.uid == restore.uid
        halt = known if known is not None and goes_on else _begin_halt(restore, command)
        return _forget_old(halt, command)
    if known is None or spec.trading_state is TradingState.HALTED:
        return None
    halt = _forget_old(known, command)
    names_it = command in (halt.restore, halt.uid) and bool(command)
    return None if names_it and command != halt.old_command else halt


def _begin_halt(restore: RestoreFacts, command: str) -> Halt:
    """Halt for a Restore; what let go an earlier one of its name does not let go this one."""
    return Halt(restore.name, restore.uid, command if command == restore.name else "")


def _forget_old(halt: Halt, command: str) -> Halt:
    """Take a command that was taken back and is given again for a new one."""
    return halt if command == halt.old_command else replace(halt, old_command="")
