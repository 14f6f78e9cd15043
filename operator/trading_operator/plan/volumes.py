"""Shared volumes, and the growth of datastore volumes."""

from dataclasses import dataclass

from trading_operator.api.datastore import Datastore
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.sharing import SharedVolume
from trading_operator.manifests.metadata import (
    SIZE_ANNOTATION,
    Manifest,
    Owner,
    build_system_labels,
    child_name,
)
from trading_operator.manifests.quantity import canonical_quantity, parse_quantity
from trading_operator.manifests.volume_claim import Claim, build_volume_claim
from trading_operator.plan.draft import System
from trading_operator.plan.types import STATEFUL_SET, Ref

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
        _build_shared_claim(system, volume)
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


def _build_shared_claim(system: System, volume: SharedVolume) -> Manifest:
    owner, size = system.owner, shared_claim_size(system, volume)
    claim = Claim(size.request, volume.access_mode.value, volume.storage_class_name)
    return build_volume_claim(
        owner, claim_name(owner, volume.name), build_system_labels(owner), claim, size.asked
    )


@dataclass(frozen=True)
class ClaimSize:
    """How large a volume should be, and how large its claim is.

    A claim that somebody enlarged by hand stays so; one that the spec asked to be as large as it
    is cannot become smaller.
    """

    wanted: str
    live: str | None  # None: there is no claim, or its size cannot be read
    recorded: str | None  # what the operator asked for last, None when it did not

    @property
    def grows(self) -> bool:
        """Tell whether the claim must grow."""
        return self.live is not None and parse_quantity(self.wanted) > parse_quantity(self.live)

    @property
    def asked(self) -> str:
        """Return the largest size that the spec asked for."""
        before = self.recorded or self.wanted
        return before if parse_quantity(before) > parse_quantity(self.wanted) else self.wanted

    @property
    def request(self) -> str:
        """Return the size that the claim should ask for: never less than it does."""
        return self.wanted if self.live is None or self.grows else self.live

    @property
    def shrinks(self) -> bool:
        """Tell whether the spec asks for less than it asked for before."""
        wanted = parse_quantity(self.wanted)
        return self.live is not None and wanted < min(
            parse_quantity(self.asked), parse_quantity(self.live)
        )


def shared_claim_size(system: System, volume: SharedVolume) -> ClaimSize:
    """Return the size of a shared volume."""
    return _claim_size(system, claim_name(system.owner, volume.name), volume.size, None)


def data_claim_size(system: System, store: Datastore) -> ClaimSize:
    """Return the size of a datastore's volume."""
    workload = child_name(system.owner, store.name)
    live = system.observed.children.get(Ref(STATEFUL_SET, workload), {})
    claims = live.get("spec", {}).get("volumeClaimTemplates") or ()
    made = claims[0]["spec"]["resources"]["requests"]["storage"] if claims else None
    return _claim_size(system, data_claim_name(workload), store.storage.size, made)


def _claim_size(system: System, claim: str, wanted: str, made: str | None) -> ClaimSize:
    live = system.observed.children.get(Ref(CLAIM_KIND, claim), {})
    annotations = live.get("metadata", {}).get("annotations") or {}
    sizes = (
        live.get("spec", {}).get("resources", {}).get("requests", {}).get("storage"),
        annotations.get(SIZE_ANNOTATION, made),
    )
    return ClaimSize(canonical_quantity(wanted), *map(_known_size, sizes))


def _known_size(text: str | None) -> str | None:
    """Return a size that may be compared; people write forms that the operator does not."""
    try:
        return None if text is None else canonical_quantity(text)
    except ValueError:
        return None
