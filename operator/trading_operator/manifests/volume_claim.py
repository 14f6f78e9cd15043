"""Volume claims: what holds data, and whether it goes with the system."""

from dataclasses import dataclass

from trading_operator.manifests.metadata import (
    Manifest,
    Owner,
    build_owner_reference,
    build_ownerless_metadata,
)
from trading_operator.manifests.quantity import canonical_quantity

CLAIM_KIND = "PersistentVolumeClaim"


@dataclass(frozen=True)
class Claim:
    """How much of which storage."""

    size: str
    access_mode: str
    storage_class: str | None


@dataclass(frozen=True)
class ClaimMetadata:
    """What a claim is called, and whether it goes when the system goes."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    owned: bool


def build_volume_claim(owner: Owner, metadata: ClaimMetadata, spec: Manifest) -> Manifest:
    """Build a claim; one that is not owned says so, so that a reference to the system is seen."""
    return {
        "apiVersion": "v1",
        "kind": CLAIM_KIND,
        "metadata": {
            **build_ownerless_metadata(owner, metadata.name, metadata.labels),
            "annotations": metadata.annotations,
            "ownerReferences": [build_owner_reference(owner)] if metadata.owned else [],
        },
        "spec": spec,
    }


def build_claim_spec(claim: Claim) -> Manifest:
    """Build the spec of a claim or of a claim template."""
    spec: Manifest = {
        "accessModes": [claim.access_mode],
        "resources": {"requests": {"storage": canonical_quantity(claim.size)}},
    }
    if claim.storage_class is not None:
        spec["storageClassName"] = claim.storage_class
    return spec


def keep_claim_spec(live: Manifest, size: str) -> Manifest:
    """Build the spec of a claim or template that is there: nothing but its size may change."""
    kept = ("accessModes", "storageClassName")
    spec = {name: live["spec"][name] for name in kept if name in live["spec"]}
    return {**spec, "resources": {"requests": {"storage": size}}}
