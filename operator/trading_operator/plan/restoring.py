"""A system whose data are restored: what uses them stops, and no order is sent until one says so.

Orders that were sent after the backup are in no restored journal: a strategy that went on by itself
would trade on positions of the past.
"""

from collections.abc import Set
from dataclasses import replace

from trading_operator.api.datastore import Datastore
from trading_operator.api.service import Service
from trading_operator.api.trading_system import TradingState, TradingSystemSpec
from trading_operator.manifests.metadata import HALTED_BY_ANNOTATION, Owner
from trading_operator.plan.draft import System
from trading_operator.plan.rollout.commands import RESUME_TRADING
from trading_operator.plan.trading_state import trading_state_ref
from trading_operator.plan.types import Observed


def restrain(
    owner: Owner, spec: TradingSystemSpec, observed: Observed
) -> tuple[TradingSystemSpec, Observed]:
    """Return a spec under which no order is sent while data are restored, and afterwards.

    It ends when a person names the Restore in a command, or takes the state over by asking for
    Halted in the spec.
    """
    halted_by = _find_halt(owner, spec, observed)
    if not halted_by:
        return spec, observed
    halted = spec.model_copy(update={"trading_state": TradingState.HALTED})
    return halted, replace(observed, halted_by=halted_by)


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


def _find_halt(owner: Owner, spec: TradingSystemSpec, observed: Observed) -> str:
    if observed.restore is not None:
        return observed.restore.name
    file = observed.children.get(trading_state_ref(owner), {})
    annotations = file.get("metadata", {}).get("annotations") or {}
    named = str(annotations.get(HALTED_BY_ANNOTATION, ""))
    released = owner.commands.get(RESUME_TRADING) == named
    return "" if released or spec.trading_state is TradingState.HALTED else named
