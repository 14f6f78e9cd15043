"""Volume claims: never owned, so that data outlives the system."""

from dataclasses import dataclass

from trading_operator.manifests.metadata import (
    SIZE_ANNOTATION,
    Manifest,
    Owner,
    build_ownerless_metadata,
)
from trading_operator.manifests.quantity import canonical_quantity


@dataclass(frozen=True)
class Claim:
    """How much of which storage."""

    size: str
    access_mode: str
    storage_class: str | None


def build_volume_claim(
    owner: Owner, name: str, labels: dict[str, str], claim: Claim, asked: str
) -> Manifest:
    """Build a claim of its own; `asked` is the size that the spec asks for or asked for."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _build_metadata(owner, name, labels, asked),
        "spec": build_claim_spec(claim),
    }


def build_claim_growth(
    owner: Owner, name: str, labels: dict[str, str], size: str, asked: str
) -> Manifest:
    """Build what changes in a claim that grows, and nothing else of it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _build_metadata(owner, name, labels, asked),
        "spec": {"resources": {"requests": {"storage": size}}},
    }


def _build_metadata(owner: Owner, name: str, labels: dict[str, str], asked: str) -> Manifest:
    metadata = build_ownerless_metadata(owner, name, labels)
    return {**metadata, "annotations": {SIZE_ANNOTATION: asked}}


def build_claim_spec(claim: Claim) -> Manifest:
    """Build the spec of a claim or of a claim template."""
    spec: Manifest = {
        "accessModes": [claim.access_mode],
        "resources": {"requests": {"storage": canonical_quantity(claim.size)}},
    }
    if claim.storage_class is not None:
        spec["storageClassName"] = claim.storage_class
    return spec
