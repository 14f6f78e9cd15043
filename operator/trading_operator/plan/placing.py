"""Where a component's pods run: what the spec asks for, and who shares a node with whom."""

from collections.abc import Iterator, Sequence

from trading_operator.api.datastore import Datastore
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.scheduling import (
    Scheduling,
    Toleration,
    TolerationOperator,
    WhenUnsatisfiable,
)
from trading_operator.api.service import Service, WorkloadType
from trading_operator.api.sharing import AccessMode, SharedVolume
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.placement import HOSTNAME, Placement, Spread
from trading_operator.plan.scaling import most_pods

# A wish that a service of one pod has as well: a second pod is no reason to replace the first.
_SPREAD = (Spread(HOSTNAME, 1, WhenUnsatisfiable.SCHEDULE_ANYWAY.value),)
_OF_ONE_NODE = frozenset({AccessMode.READ_WRITE_ONCE, AccessMode.READ_WRITE_ONCE_POD})


def plan_placement(spec: TradingSystemSpec, component: Datastore | Service, path: str) -> Placement:
    """Return where a component's pods run; raises InvalidSpecError when they cannot."""
    asked = component.scheduling
    same_node = None
    if isinstance(component, Service):
        _check_volumes(spec, component, path)
        same_node = node_group(spec, component)
    if same_node is not None:
        _refuse_two_places(spec, component, same_node, path)
    return Placement(
        node_selector=asked.node_selector,
        tolerations=build_tolerations(asked.tolerations, f"{path}.scheduling.tolerations"),
        priority_class=asked.priority_class_name,
        spread=_spread(component, asked, same_node is not None),
        same_node=same_node,
    )


def build_tolerations(tolerations: Sequence[Toleration], path: str) -> tuple[Manifest, ...]:
    """Return tolerations as a pod has them; raises InvalidSpecError."""
    return tuple(_build_toleration(each, f"{path}[{at}]") for at, each in enumerate(tolerations))


def node_group(spec: TradingSystemSpec, service: Service) -> str | None:
    """Return the name of the group of services that share a node with this one, or None.

    Who shares a ReadWriteOnce volume shares a node, and so does who shares another one with any
    of them. The group is named after its first volume.
    """
    volumes = {each.name for each in spec.volumes if each.access_mode is AccessMode.READ_WRITE_ONCE}
    used = [{mount.name for mount in each.volumes} & volumes for each in spec.services]
    group = {mount.name for mount in service.volumes} & volumes
    while joined := {name for names in used if names & group for name in names} - group:
        group |= joined
    return min(group, default=None)


def volume_group(spec: TradingSystemSpec, volume: SharedVolume) -> str | None:
    """Return the name of the group of pods that share a node because of a volume, or None."""
    if volume.access_mode is not AccessMode.READ_WRITE_ONCE:
        return None
    users = (each for each in spec.services if any(m.name == volume.name for m in each.volumes))
    return next((node_group(spec, user) for user in users), None)


def holds_volume(spec: TradingSystemSpec, service: Service) -> bool:
    """Tell whether a pod holds a volume that a pod on another node waits for."""
    return any(volume.access_mode in _OF_ONE_NODE for _, volume in _mounted(spec, service))


def _mounted(spec: TradingSystemSpec, service: Service) -> Iterator[tuple[int, SharedVolume]]:
    volumes = {volume.name: volume for volume in spec.volumes}
    for at, mount in enumerate(service.volumes):
        if mount.name in volumes:
            yield at, volumes[mount.name]


def _check_volumes(spec: TradingSystemSpec, service: Service, path: str) -> None:
    for at, volume in _mounted(spec, service):
        where = f"{path}.volumes[{at}]"
        mode = volume.access_mode
        if mode is AccessMode.READ_ONLY_MANY and not service.volumes[at].read_only:
            raise InvalidSpecError(
                f"{where}.readOnly", f"nobody writes to {volume.name} ({mode})", "set it to true"
            )
        if mode is AccessMode.READ_WRITE_ONCE_POD and _pods_of(spec, volume.name) > 1:
            raise InvalidSpecError(
                where,
                f"{volume.name} is for one pod ({mode}), and {_pods_of(spec, volume.name)} may "
                "use it",
                f"use {AccessMode.READ_WRITE_ONCE} or {AccessMode.READ_WRITE_MANY}, or one pod",
            )


def _pods_of(spec: TradingSystemSpec, volume: str) -> int:
    users = (each for each in spec.services if any(m.name == volume for m in each.volumes))
    return sum(max(1, most_pods(user)) for user in users)


def _refuse_two_places(
    spec: TradingSystemSpec, component: Datastore | Service, group: str, path: str
) -> None:
    """Refuse what keeps pods apart that a volume keeps together."""
    if isinstance(component, Service) and most_pods(component) > 1:
        for at, each in enumerate(component.scheduling.topology_spread or ()):
            if each.when_unsatisfiable is WhenUnsatisfiable.DO_NOT_SCHEDULE:
                raise InvalidSpecError(
                    f"{path}.scheduling.topologySpread[{at}]",
                    f"the ReadWriteOnce volume {group} keeps the pods on one node",
                    "use ScheduleAnyway, or a ReadWriteMany volume",
                )
    members = [each for each in spec.services if node_group(spec, each) == group]
    for key, value in component.scheduling.node_selector.items():
        for other in members:
            if other.scheduling.node_selector.get(key, value) != value:
                raise InvalidSpecError(
                    f"{path}.scheduling.nodeSelector.{key}",
                    f"{other.name} shares the ReadWriteOnce volume {group} and with it the node, "
                    "and asks for another one",
                    "ask for the same, or use a ReadWriteMany volume",
                )


def _spread(
    component: Datastore | Service, asked: Scheduling, same_node: bool
) -> tuple[Spread, ...]:
    if asked.topology_spread is not None:
        return tuple(
            Spread(each.key, each.max_skew, each.when_unsatisfiable.value)
            for each in asked.topology_spread
        )
    replicated = isinstance(component, Service) and component.workload is WorkloadType.REPLICATED
    return _SPREAD if replicated and not same_node else ()


def _build_toleration(toleration: Toleration, path: str) -> Manifest:
    if toleration.key is None and toleration.operator is not TolerationOperator.EXISTS:
        raise InvalidSpecError(
            path, "a toleration without key is for every taint", "set operator: Exists, or a key"
        )
    fields = {
        "key": toleration.key,
        "operator": toleration.operator.value,
        "value": toleration.value,
        "effect": None if toleration.effect is None else toleration.effect.value,
        "tolerationSeconds": toleration.toleration_seconds,
    }
    return {name: value for name, value in fields.items() if value is not None}
