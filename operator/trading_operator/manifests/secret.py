"""Secrets with generated values: only their frame, never a value."""

from trading_operator.manifests.metadata import (
    Manifest,
    Owner,
    Part,
    build_ownerless_metadata,
    build_part_labels,
)
from trading_operator.manifests.volume_claim import CLAIM_KIND


def build_secret_frame(part: Part, name: str) -> Manifest:
    """Build the frame of a component's Secret."""
    return build_labelled_secret(part.owner, name, build_part_labels(part))


def build_labelled_secret(owner: Owner, name: str, labels: dict[str, str]) -> Manifest:
    """Build a Secret without data; who owns it is known once the claim that it opens is there."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": build_ownerless_metadata(owner, name, labels),
        "type": "Opaque",
    }


def build_claim_reference(claim: Manifest) -> Manifest:
    """Build the reference by which a Secret lives as long as the volume that it opens."""
    metadata = claim["metadata"]
    # Nothing waits for the Secret: a blocking reference would ask for rights on claims' finalizers.
    return {
        "apiVersion": "v1",
        "kind": CLAIM_KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }
