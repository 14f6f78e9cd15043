"""What is backed up: datastores and volumes of the system that are there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from trading_operator.api.backup_parts import Method, Target
from trading_operator.api.datastore import Datastore
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.sharing import AccessMode, SharedVolume
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Endpoint
from trading_operator.manifests.metadata import child_name
from trading_operator.manifests.pod import SecretFile
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.backup.case import Case, Source
from trading_operator.plan.observed import Ref
from trading_operator.plan.placing import volume_group
from trading_operator.plan.references import credentials_name, password_key
from trading_operator.plan.types import STATEFUL_SET
from trading_operator.plan.volumes import claim_name


class Identity(NamedTuple):
    """Under which ids the programs run that read and write the data of services."""

    user: int
    group: int


# That of services which say nothing else: the repository's files stay readable when a volume comes.
USUAL = Identity(1000, 1000)


@dataclass(frozen=True)
class StoreTarget:
    """A datastore."""

    store: Datastore
    method: Method
    path: str  # of what names it, in the spec
    workload: Ref
    endpoint: Endpoint
    password: SecretFile

    @property
    def name(self) -> str:
        """Return the target's name."""
        return self.store.name


@dataclass(frozen=True)
class VolumeTarget:
    """A shared volume."""

    volume: SharedVolume
    path: str
    claim: Ref

    @property
    def name(self) -> str:
        """Return the target's name."""
        return self.volume.name


@dataclass(frozen=True)
class Targets:
    """What one set is made of; `awaited` names what is not there yet."""

    stores: tuple[StoreTarget, ...]
    volumes: tuple[VolumeTarget, ...]
    awaited: tuple[str, ...] = ()
    node_group: str | None = None  # of the pods that one of the volumes keeps on one node
    identity: Identity = USUAL

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all targets that are there."""
        return (*(each.name for each in self.stores), *(each.name for each in self.volumes))

    def __bool__(self) -> bool:
        """Tell whether there is anything to back up."""
        return bool(self.stores or self.volumes)


def plan_targets(case: Case, source: Source) -> Targets:
    """Return what is backed up; raises InvalidSpecError for what the system does not have.

    Without targets it is all that is there: what a change would add has no data yet.
    """
    stores: list[StoreTarget] = []
    volumes: list[VolumeTarget] = []
    awaited: list[str] = []
    for target in _resolve(case, source):
        is_there = _place(target) in source.children
        if is_there and isinstance(target, StoreTarget):
            _check_store(case, target)
            stores.append(target)
        elif is_there and isinstance(target, VolumeTarget):
            volumes.append(target)
        elif case.spec.targets:
            awaited.append(target.name)
    group, identity = _find_group(source, volumes), _find_identity(source, volumes)
    return Targets(tuple(stores), tuple(volumes), tuple(awaited), group, identity)


def live_image(source: Source, target: StoreTarget) -> str:
    """Return the image that a datastore runs now."""
    workload = source.children[target.workload]
    return str(workload["spec"]["template"]["spec"]["containers"][0]["image"])


def _resolve(case: Case, source: Source) -> Iterator[StoreTarget | VolumeTarget]:
    stores = {each.name: each for each in source.spec.datastores}
    volumes = {each.name: each for each in source.spec.volumes}
    wanted = case.spec.targets or [Target(name=name) for name in (*stores, *volumes)]
    for at, each in enumerate(wanted):
        path = f"targets[{at}]" if case.spec.targets else "targets"
        if each.name in stores and each.name in volumes:
            raise InvalidSpecError(
                path,
                f"{each.name} is a datastore and a volume of {source.owner.name}",
                "rename one of them in the trading system, or back up each by a Backup of its own",
            )
        if each.name in stores:
            yield _build_store(source, stores[each.name], each.method, path)
        elif each.name in volumes:
            yield _build_volume(source, volumes[each.name], each, path)
        else:
            known = ", ".join((*stores, *volumes)) or "none"
            raise InvalidSpecError(
                path,
                f"{source.owner.name} has no datastore or volume {each.name} (it has {known})",
                "mend the name, or remove the target",
            )


def _build_store(source: Source, store: Datastore, method: Method, path: str) -> StoreTarget:
    engine = ENGINES[store.engine]
    host = store.service_name or child_name(source.owner, store.name)
    return StoreTarget(
        store=store,
        method=method,
        path=path,
        workload=Ref(STATEFUL_SET, child_name(source.owner, store.name)),
        endpoint=Endpoint(host, store.port or engine.port),
        password=SecretFile(
            f"{store.name}/password", credentials_name(source.owner, store), password_key(store)
        ),
    )


def _build_volume(source: Source, volume: SharedVolume, target: Target, path: str) -> VolumeTarget:
    if target.method is not Method.LOGICAL:
        raise InvalidSpecError(
            f"{path}.method", f"{volume.name} is a volume, of files", "remove method"
        )
    if volume.access_mode is AccessMode.READ_WRITE_ONCE_POD:
        raise InvalidSpecError(
            path,
            f"{volume.name} is for one pod ({volume.access_mode}), and a backup is another one",
            "remove the target, or use another accessMode",
        )
    return VolumeTarget(volume, path, Ref(CLAIM_KIND, claim_name(source.owner, volume.name)))


def _place(target: StoreTarget | VolumeTarget) -> Ref:
    return target.workload if isinstance(target, StoreTarget) else target.claim


def _check_store(case: Case, target: StoreTarget) -> None:
    incremental = case.spec.schedule is not None and case.spec.schedule.incremental is not None
    engine = ENGINES[target.store.engine]
    engine.check_backup(target.store, target.method, incremental, target.path)


def _find_group(source: Source, volumes: list[VolumeTarget]) -> str | None:
    """Return the group of pods with which the backup's pods share a node; raises InvalidSpecError.

    Who mounts a ReadWriteOnce volume is where its users are.
    """
    groups = {
        target.name: group
        for target in volumes
        if (group := volume_group(source.spec, target.volume)) is not None
    }
    if len(set(groups.values())) > 1:
        raise InvalidSpecError(
            "targets",
            f"{', '.join(groups)} are ReadWriteOnce volumes that may be on different nodes",
            "back up each by a Backup of its own, or use ReadWriteMany",
        )
    return next(iter(groups.values()), None)


def _find_identity(source: Source, volumes: list[VolumeTarget]) -> Identity:
    """Return the ids of who owns the files; raises InvalidSpecError when they are not the same.

    Only the owner may restore a file's mode, and what is restored must be the owner's again.
    """
    owners = {
        target.name: owner
        for target in volumes
        if (owner := _find_owner(source, target)) is not None
    }
    if len(set(owners.values())) > 1:
        told = ", ".join(f"{name} of user {owner.user}" for name, owner in owners.items())
        raise InvalidSpecError(
            "targets",
            f"the volumes belong to different users: {told}",
            "back up each by a Backup of its own",
        )
    return next(iter(owners.values()), USUAL)


def _find_owner(source: Source, target: VolumeTarget) -> Identity | None:
    """Return the ids of the first service that writes the volume, or else mounts it."""
    users = [
        (mount.read_only, Identity(service.run_as_user, service.run_as_group))
        for service in source.spec.services
        for mount in service.volumes
        if mount.name == target.name
    ]
    return min(users, key=lambda each: each[0])[1] if users else None
