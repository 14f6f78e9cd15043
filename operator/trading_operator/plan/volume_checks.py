"""What must hold of volumes before a component can start or change: data come first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from trading_operator.api.datastore import Datastore
from trading_operator.api.reasons import (
    ACCESS_MODE_CHANGE,
    CREDENTIALS_LOST,
    NO_DEFAULT_STORAGE_CLASS,
    STORAGE_CLASS_CHANGE,
    STORAGE_CLASS_NOT_FOUND,
    VOLUME_CANNOT_GROW,
    VOLUME_SHRINKS,
    WAITING_FOR_REMOVAL,
)
from trading_operator.manifests.metadata import Manifest, build_system_selector, child_name
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import ref_of
from trading_operator.plan.types import Block
from trading_operator.plan.volumes import (
    ClaimSize,
    cannot_grow,
    claim_name,
    claim_template,
    data_claim_name,
    data_claim_size,
    find_claim,
    is_unopened,
    lacks_default_class,
    shared_claim_size,
)

# StorageClasses are not watched.
_LOOK_AGAIN = timedelta(seconds=30)
_SOON = timedelta(seconds=2)


@dataclass(frozen=True)
class Volume:
    """A volume that a component uses, as the spec wants it, and where the spec says so."""

    path: str  # of what says size and class
    claim: str
    size: ClaimSize
    storage_class: str | None
    access_mode: str


def labels_of(system: System) -> str:
    """Return the labels by which ownerless objects are known to be the system's."""
    wanted = build_system_selector(system.owner)
    return ",".join(f"{name}={value}" for name, value in wanted.items())


def find_left_over(system: System, draft: Draft) -> Block | None:
    """Wait for what a former volume left behind: its claim, and the Secret that goes with it."""
    if draft.secret is None or draft.ref in system.observed.children:
        return None
    claim = find_claim(system, data_claim_name(draft.part.name))
    if claim is not None and "deletionTimestamp" in claim["metadata"]:
        name = claim["metadata"]["name"]
        return Block(WAITING_FOR_REMOVAL, f"waits until the former {CLAIM_KIND} {name} is gone")
    facts = system.observed.secrets.get(ref_of(draft.secret.manifest).name)
    uid = None if claim is None else claim["metadata"]["uid"]
    if facts is None or not facts.claims or uid in facts.claims:
        return None
    message = f"waits until Secret {facts.name} of a former volume is gone"
    return Block(WAITING_FOR_REMOVAL, message, _SOON)


def find_lost_credentials(system: System, draft: Draft) -> Block | None:
    """Refuse a new password for a volume that may hold data: it would not open them."""
    if draft.secret is None or is_unopened(system, draft.name, draft.ref):
        return None
    name = ref_of(draft.secret.manifest).name
    if name in system.observed.secrets:
        return None
    claim = data_claim_name(draft.part.name)
    return Block(
        CREDENTIALS_LOST,
        f"{draft.path}: the generated Secret {name} is gone, and its password opens the volume; "
        f"restore it with the keys username and password and the labels {labels_of(system)}, or "
        f"delete {draft.ref.kind} {draft.ref.name} and {CLAIM_KIND} {claim} to begin with an "
        "empty volume",
    )


def find_missing_class(system: System, draft: Draft) -> Block | None:
    """Refuse a StorageClass that the cluster does not have, and none where there is no default."""
    known = system.observed.storage_classes
    if known is None:
        return None
    has = ", ".join(sorted(known)) or "none"
    for name, path in draft.needs.storage_classes.items():
        if name not in known:
            message = f"{path}: the cluster has no StorageClass {name} (it has {has}); "
            mend = "create it or name another"
            return Block(STORAGE_CLASS_NOT_FOUND, message + mend, _LOOK_AGAIN)
    for volume in _volumes(system, draft):
        if lacks_default_class(system, volume.claim, volume.storage_class):
            return Block(
                NO_DEFAULT_STORAGE_CLASS,
                f"{volume.path}.storageClassName is not set and the cluster has no default "
                f"StorageClass (it has {has}); name one, or mark one as the default",
                _LOOK_AGAIN,
            )
    return None


def find_class_change(system: System, draft: Draft) -> Block | None:
    """Refuse another StorageClass or access mode for a volume that is there."""
    for volume in _volumes(system, draft):
        claim = find_claim(system, volume.claim)
        template = claim_template(system.observed.children.get(draft.ref, {}))
        if claim is None and template is None:
            continue
        block = _class_change(volume, claim, template) or _mode_change(volume, claim)
        if block is not None:
            return block
    return None


def _class_change(
    volume: Volume, claim: Manifest | None, template: Manifest | None
) -> Block | None:
    given = None if claim is None else claim["spec"].get("storageClassName")
    if template is None:
        # Nothing tells whether the class was named or was the default of that time.
        before, same = given, volume.storage_class in (None, given)
    else:
        before = template["spec"].get("storageClassName")
        same = volume.storage_class == before
    if same:
        return None
    return Block(
        STORAGE_CLASS_CHANGE,
        f"{volume.path}.storageClassName: a volume stays in its class ({before or 'default'}), it "
        f"cannot move to {volume.storage_class or 'the default'}; set it back, or add a new "
        "datastore or volume and move the data",
    )


def _mode_change(volume: Volume, claim: Manifest | None) -> Block | None:
    before = [] if claim is None else claim["spec"].get("accessModes", [])
    if before in ([], [volume.access_mode]):
        return None
    return Block(
        ACCESS_MODE_CHANGE,
        f"{volume.path}.accessMode: a volume keeps its access mode ({', '.join(before)}); set it "
        "back, or add a new volume and move the data",
    )


def find_size_fault(system: System, draft: Draft) -> Block | None:
    """Refuse a volume that would shrink, and growth that its StorageClass does not allow."""
    for volume in _volumes(system, draft):
        size, path = volume.size, f"{volume.path}.size"
        if size.shrinks:
            return Block(
                VOLUME_SHRINKS,
                f"{path}: a volume cannot shrink from {size.live}; set the size to "
                f"{size.live} again, or make a new volume and move the data",
            )
        claim = find_claim(system, volume.claim)
        if claim is not None and size.grows and cannot_grow(system, claim):
            return Block(
                VOLUME_CANNOT_GROW,
                f"{path}: StorageClass {claim['spec']['storageClassName']} does not let volumes "
                f"grow from {size.live} to {size.wanted}; set allowVolumeExpansion: true on it, "
                f"set the size to {size.live} again, or make a new volume and move the data",
                _LOOK_AGAIN,
            )
    return None


def _volumes(system: System, draft: Draft) -> Iterator[Volume]:
    component = system.components[draft.name]
    if isinstance(component, Datastore):
        storage = component.storage
        yield Volume(
            f"{draft.path}.storage",
            data_claim_name(child_name(system.owner, component.name)),
            data_claim_size(system, component),
            storage.storage_class_name,
            "ReadWriteOnce",
        )
        return
    mounted = {mount.name for mount in component.volumes}
    for at, volume in enumerate(system.spec.volumes):
        if volume.name in mounted:
            yield Volume(
                f"volumes[{at}]",
                claim_name(system.owner, volume.name),
                shared_claim_size(system, volume),
                volume.storage_class_name,
                volume.access_mode.value,
            )
