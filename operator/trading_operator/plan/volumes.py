"""How large volumes are, which of them are known, and whether they were ever opened."""

from dataclasses import dataclass

from trading_operator.api.datastore import Datastore
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.sharing import SharedVolume
from trading_operator.manifests.metadata import (
    MADE_FOR_ANNOTATION,
    SIZE_ANNOTATION,
    Manifest,
    Owner,
    child_name,
)
from trading_operator.manifests.quantity import canonical_quantity, parse_quantity
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.draft import System
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import STATEFUL_SET

DATA_VOLUME = "data"
# Written by the scheduler where a volume is made only once a pod is to mount it.
_NODE_ANNOTATION = "volume.kubernetes.io/selected-node"


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


def missing_class(system: System, volume: SharedVolume) -> str | None:
    """Return the StorageClass that the volume names and the cluster does not have."""
    known = system.observed.storage_classes
    wanted = volume.storage_class_name
    # A claim that is there has its storage, whatever became of the class.
    if wanted is None or known is None or wanted in known:
        return None
    return None if find_claim(system, claim_name(system.owner, volume.name)) else wanted


def find_claim(system: System, name: str) -> Manifest | None:
    """Return a live claim of the system."""
    return system.observed.children.get(Ref(CLAIM_KIND, name))


def lacks_default_class(system: System, claim: str, storage_class: str | None) -> bool:
    """Tell whether a claim that is still to be made would wait for a class that nobody gives it."""
    observed = system.observed
    if storage_class is not None or observed.storage_classes is None:
        return False
    return observed.default_storage_class is None and find_claim(system, claim) is None


def is_unopened(system: System, component: str, workload: Ref) -> bool:
    """Tell whether a datastore's claim surely holds no data that a lost password would open.

    So it is with a claim that was never bound, and with one that this very system made and has not
    started the datastore with: the operator may end between the claim and its Secret.
    """
    claim = find_claim(system, data_claim_name(workload.name))
    if claim is None:
        return True
    if workload in system.observed.children:
        return False
    if claim.get("status", {}).get("phase") == "Pending":
        return True
    metadata = claim["metadata"]
    annotations = metadata.get("annotations") or {}
    if _NODE_ANNOTATION in annotations:
        return False  # the volume was made for a pod that the scheduler had a node for
    made_here = annotations.get(MADE_FOR_ANNOTATION) == system.owner.uid
    return made_here and system.observed.opened.get(component) != metadata["uid"]


@dataclass(frozen=True)
class ClaimSize:
    """How large a volume should be, and how large its claim is.

    A claim that somebody enlarged by hand stays so; one that the spec asked to be as large as it
    is cannot become smaller.
    """

    wanted: str
    live: str | None  # None: there is no claim, or its size cannot be read
    recorded: str | None  # what the operator asked for last, None when it did not
    made: str | None = None  # size of the live claim template, None when there is none

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
    def template(self) -> str:
        """Return the size for the immutable claim template: it follows once the claim has grown."""
        return self.wanted if self.made is None or not self.grows else self.made

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
    template = claim_template(live)
    made = None if template is None else template["spec"]["resources"]["requests"]["storage"]
    return _claim_size(system, data_claim_name(workload), store.storage.size, made)


def has_data(workload: Manifest) -> bool:
    """Tell whether a workload is a datastore's: only those bring volumes of their own."""
    return claim_template(workload) is not None


def claim_template(workload: Manifest) -> Manifest | None:
    """Return the claim template of a live datastore's StatefulSet."""
    templates = workload.get("spec", {}).get("volumeClaimTemplates") or ()
    return next(iter(templates), None)


def _claim_size(system: System, claim: str, wanted: str, made: str | None) -> ClaimSize:
    live = find_claim(system, claim) or {}
    annotations = live.get("metadata", {}).get("annotations") or {}
    request = live.get("spec", {}).get("resources", {}).get("requests", {}).get("storage")
    recorded = annotations.get(SIZE_ANNOTATION, made)
    sizes = map(_known_size, (request, recorded, made))
    return ClaimSize(canonical_quantity(wanted), *sizes)


def _known_size(text: str | None) -> str | None:
    """Return a size that may be compared; people write forms that the operator does not."""
    try:
        return None if text is None else canonical_quantity(text)
    except ValueError:
        return None


def cannot_grow(system: System, claim: Manifest) -> bool:
    """Tell whether a claim's StorageClass is known not to let its volumes grow."""
    return claim["spec"].get("storageClassName") in system.observed.fixed_classes
