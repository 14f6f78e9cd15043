"""The volume claims of a system: what they ask for, and whether they go with it."""

from collections.abc import Iterable, Iterator, Set

from trading_operator.api.datastore import Datastore
from trading_operator.api.deletion import VolumePolicy
from trading_operator.api.sharing import SharedVolume
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import (
    COMPONENT,
    INSTANCE,
    MADE_FOR_ANNOTATION,
    MANAGED_BY,
    PART_OF,
    SIZE_ANNOTATION,
    Manifest,
    Owner,
    build_system_labels,
    child_name,
)
from trading_operator.manifests.volume_claim import (
    CLAIM_KIND,
    Claim,
    ClaimMetadata,
    build_claim_spec,
    build_volume_claim,
    keep_claim_spec,
)
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.last_backup import LastBackup
from trading_operator.plan.observed import Observed, ref_of
from trading_operator.plan.volumes import (
    ClaimSize,
    cannot_grow,
    claim_name,
    data_claim_name,
    data_claim_size,
    find_claim,
    lacks_default_class,
    missing_class,
    shared_claim_size,
)

_LABELS = (INSTANCE, PART_OF, MANAGED_BY, COMPONENT)


def plan_data_claim(system: System, store: Datastore) -> Manifest:
    """Return the claim of a datastore's volume; its StatefulSet takes it by its name."""
    name = data_claim_name(child_name(system.owner, store.name))
    labels = {**build_system_labels(system.owner), COMPONENT: store.name}
    claim = Claim(store.storage.size, "ReadWriteOnce", store.storage.storage_class_name)
    return _build(system, name, labels, claim, data_claim_size(system, store))


def plan_shared_claims(system: System) -> Iterator[Manifest]:
    """Yield the claims of all shared volumes whose storage can be had."""
    for volume in system.spec.volumes:
        name = claim_name(system.owner, volume.name)
        lacks = lacks_default_class(system, name, volume.storage_class_name)
        if missing_class(system, volume) is None and not lacks:
            yield _plan_shared_claim(system, name, volume)


def plan_left_claims(system: System) -> Iterator[Manifest]:
    """Yield the claims of volumes that left the spec, freed from the system or the StatefulSet
    that owns them.

    Policy Delete is about what the spec names when the system goes: data that somebody took out of
    the spec is nobody's but theirs. Nobody knows any more that a volume was never opened.
    """
    owner, named = system.owner, _named(system.owner, system.spec)
    for ref, live in sorted(system.observed.children.items()):
        if ref.kind == CLAIM_KIND and ref.name not in named:
            made_for = _kept(live, "annotations", (MADE_FOR_ANNOTATION,)).values()
            if _has_owner(live) or owner.uid in made_for:
                yield _build_as_it_is(owner, live, owned=False)


def plan_last_claims(
    owner: Owner, spec: TradingSystemSpec | None, observed: Observed, last: LastBackup | None
) -> Iterator[Manifest]:
    """Yield the claims that the end of the system would not treat as the deletion policy wants.

    The policy may have changed just before, and whatever else the spec says makes no difference;
    without a spec all data stays.
    """
    named = set() if spec is None else _ending_claims(owner, spec, last)
    for ref, live in sorted(observed.children.items()):
        if ref.kind == CLAIM_KIND and _has_owner(live) != (ref.name in named):
            yield _build_as_it_is(owner, live, owned=ref.name in named)


def _ending_claims(owner: Owner, spec: TradingSystemSpec, last: LastBackup | None) -> set[str]:
    """Return the claims that go with the system: of volumes that a backup holds, or all."""
    if spec.deletion.volumes is VolumePolicy.DELETE:
        return _named(owner, spec)
    return set() if last is None else _named(owner, spec, last.covers)


def _named(owner: Owner, spec: TradingSystemSpec, only: Set[str] | None = None) -> set[str]:
    """Return the names of the claims of the spec's volumes, all or only some of them."""
    stores = [each.name for each in spec.datastores if only is None or each.name in only]
    shared = [each.name for each in spec.volumes if only is None or each.name in only]
    data = {data_claim_name(child_name(owner, name)) for name in stores}
    return data | {claim_name(owner, name) for name in shared}


def _plan_shared_claim(system: System, name: str, volume: SharedVolume) -> Manifest:
    claim = Claim(volume.size, volume.access_mode.value, volume.storage_class_name)
    labels = build_system_labels(system.owner)
    return _build(system, name, labels, claim, shared_claim_size(system, volume))


def _build(
    system: System, name: str, labels: dict[str, str], claim: Claim, size: ClaimSize
) -> Manifest:
    live = find_claim(system, name)
    annotations = {SIZE_ANNOTATION: size.asked}
    if live is None:
        annotations[MADE_FOR_ANNOTATION] = system.owner.uid
        spec = build_claim_spec(claim)
    else:
        annotations |= _kept(live, "annotations", (MADE_FOR_ANNOTATION,))
        spec = keep_claim_spec(live, _request(system, live, size))
    owned = system.spec.deletion.volumes is VolumePolicy.DELETE
    return build_volume_claim(system.owner, ClaimMetadata(name, labels, annotations, owned), spec)


def _request(system: System, live: Manifest, size: ClaimSize) -> str:
    """Return the size to ask for; a request that cannot be read is left as it is."""
    asked = live["spec"].get("resources", {}).get("requests", {}).get("storage", size.wanted)
    if size.live is None or (size.grows and cannot_grow(system, live)):
        return str(asked)
    return size.request


def _build_as_it_is(owner: Owner, live: Manifest, *, owned: bool) -> Manifest:
    labels = _kept(live, "labels", _LABELS)
    annotations = _kept(live, "annotations", (SIZE_ANNOTATION,))
    metadata = ClaimMetadata(live["metadata"]["name"], labels, annotations, owned)
    size = str(live["spec"]["resources"]["requests"]["storage"])
    return build_volume_claim(owner, metadata, keep_claim_spec(live, size))


def _kept(live: Manifest, group: str, names: tuple[str, ...]) -> dict[str, str]:
    found = live["metadata"].get(group) or {}
    return {name: found[name] for name in names if name in found}


def _has_owner(live: Manifest) -> bool:
    return bool(live["metadata"].get("ownerReferences"))


def plan_claims(system: System, drafts: Iterable[Draft]) -> Iterator[Manifest]:
    """Yield all claims but those of datastores that are still to be started.

    Whether a volume grows and whether it goes with the system waits for no component's turn.
    """
    yield from plan_shared_claims(system)
    for draft in drafts:
        if draft.claim is not None and ref_of(draft.claim) in system.observed.children:
            yield draft.claim
    yield from plan_left_claims(system)
