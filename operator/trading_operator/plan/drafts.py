"""Every component of a spec as its author wants it."""

from collections.abc import Mapping

from trading_operator.api.datastore import Datastore
from trading_operator.plan.datastore import plan_datastore
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.graph import component_paths, start_waves
from trading_operator.plan.service import plan_service


def plan_drafts(system: System) -> Mapping[str, Draft]:
    """Return every component as the spec wants it, in start order."""
    paths = component_paths(system.spec)
    return {
        name: _draft(system, name, paths[name])
        for wave in start_waves(system.spec)
        for name in wave
    }


def _draft(system: System, name: str, path: str) -> Draft:
    component = system.components[name]
    if isinstance(component, Datastore):
        return plan_datastore(system, component, path)
    return plan_service(system, component, path)
