"""Shared volumes, and the growth of datastore volumes."""

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.sharing import SharedVolume
from trading_operator.manifests.metadata import (
    Manifest,
    Owner,
    build_system_labels,
    child_name,
)
from trading_operator.manifests.volume_claim import Claim, build_volume_claim
from trading_operator.plan.draft import System
from trading_operator.plan.types import Ref

CLAIM_KIND = "PersistentVolumeClaim"
DATA_VOLUME = "data"


def claim_name(owner: Owner, volume: str) -> str:
    """Return the name of a shared volume's claim."""
    return child_name(owner, volume)


def data_claim_name(workload: str) -> str:
    """Return the name that a StatefulSet gives its first pod's data claim."""
    return f"{DATA_VOLUME}-{workload}-0"


def find_volume(system: System, name: str, path: str) -> SharedVolume:
    """Return the shared volume that `path` refers to by name; raises InvalidSpecError."""
    volume = next((volume for volume in system.spec.volumes if volume.name == name), None)
    if volume is None:
        raise InvalidSpecError(
            path, f"the system has no volume {name}", "add it to volumes, or mend the name"
        )
    return volume


def plan_shared_volumes(system: System) -> tuple[Manifest, ...]:
    """Return the claims of all shared volumes whose storage can be had."""
    return tuple(
        _build_shared_claim(system.owner, volume)
        for volume in system.spec.volumes
        if missing_class(system, volume) is None
    )


def missing_class(system: System, volume: SharedVolume) -> str | None:
    """Return the StorageClass that the volume names and the cluster does not have."""
    claim = Ref(CLAIM_KIND, claim_name(system.owner, volume.name))
    known = system.observed.storage_classes
    wanted = volume.storage_class_name
    # A claim that is there has its storage, whatever became of the class.
    if wanted is None or known is None or wanted in known or claim in system.observed.children:
        return None
    return wanted


def _build_shared_claim(owner: Owner, volume: SharedVolume) -> Manifest:
    claim = Claim(volume.size, volume.access_mode.value, volume.storage_class_name)
    return build_volume_claim(
        owner, claim_name(owner, volume.name), build_system_labels(owner), claim
    )
