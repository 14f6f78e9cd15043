"""The spec of a revision as it is stored beside its renderings, so that it can come back whole.

What comes back with a revision are the components, their pods, configs, addresses and connections.
How many pods there are, how large the volumes are, and the switches stay as the spec of today says.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from trading_operator.api.datastore import Datastore
from trading_operator.api.service import Service, WorkloadType
from trading_operator.api.sharing import ConfigBundle, SharedVolume
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.config_map import config_map_name
from trading_operator.manifests.metadata import Owner
from trading_operator.manifests.quantity import parse_quantity

# Fields of the system that no revision decides.
SWITCHES = frozenset({"paused", "hibernated", "trading_state", "deletion", "rollout", "network"})
# Fields of a component that stay as the spec of today says.
SCALES = frozenset({"replicas", "autoscaling", "disruption_budget", "storage"})
_SCALES_ON_THE_WIRE = frozenset(map(to_camel, SCALES))
_M = TypeVar("_M", Datastore, Service)


def stored_spec(owner: Owner, spec: TradingSystemSpec) -> dict[str, Any]:
    """Return what is stored of a spec: what its author set, files by the name of their ConfigMap.

    Defaults are left out, so that another version of the operator stores the same.
    """
    told = spec.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude={*SWITCHES, "configs"}
    )
    if spec.configs:
        told["configs"] = [_stored_config(owner, bundle) for bundle in spec.configs]
    return told


def returned_part(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a stored spec what comes back with its revision, and so is a part of its digest."""
    part = {name: value for name, value in stored.items() if name != "volumes"}
    for kind in ("datastores", "services"):
        if kind in part:
            part[kind] = [
                {name: value for name, value in each.items() if name not in _SCALES_ON_THE_WIRE}
                for each in sorted(part[kind], key=lambda each: str(each.get("name")))
            ]
    volumes = stored.get("volumes") or ()
    part["volumes"] = [
        {name: value for name, value in each.items() if name != "size"} for each in volumes
    ]
    return {name: value for name, value in part.items() if value not in ([], {})}


def restore_spec(stored: Mapping[str, Any], now: TradingSystemSpec) -> TradingSystemSpec | None:
    """Return a stored spec with what stays as it is now; None when there is none."""
    if not stored:
        return None
    try:
        then = TradingSystemSpec.model_validate(stored)
    except ValidationError:
        return None  # another hand wrote it
    stores = {each.name: each for each in now.datastores}
    services = {each.name: each for each in now.services}
    switches = {name: getattr(now, name) for name in SWITCHES}
    return then.model_copy(
        update={
            **switches,
            "datastores": [_rescale(each, stores.get(each.name)) for each in then.datastores],
            "services": [_rescale_service(each, services.get(each.name)) for each in then.services],
            "volumes": _largest(then, now),
        }
    )


def _stored_config(owner: Owner, bundle: ConfigBundle) -> dict[str, str]:
    name = bundle.config_map_ref or config_map_name(owner, bundle.name, bundle.files or {})
    return {"name": bundle.name, "configMapRef": name}


def _rescale_service(then: Service, now: Service | None) -> Service:
    # A single writer has one pod, whatever the other one has.
    single = WorkloadType.SINGLE_WRITER
    if (
        now is not None
        and single in (then.workload, now.workload)
        and then.workload != now.workload
    ):
        return then
    return _rescale(then, now)


def _rescale(then: _M, now: _M | None) -> _M:
    if now is None:
        return then
    fields = SCALES & type(then).model_fields.keys()
    return then.model_copy(update={name: getattr(now, name) for name in fields})


def _largest(then: TradingSystemSpec, now: TradingSystemSpec) -> list[SharedVolume]:
    sizes = {each.name: each.size for each in now.volumes}
    return [
        each.model_copy(update={"size": max(each.size, sizes[each.name], key=parse_quantity)})
        if each.name in sizes
        else each
        for each in then.volumes
    ]


def is_same_spec(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two stored specs differ in nothing that comes back with a revision."""
    return returned_part(one) == returned_part(other)
