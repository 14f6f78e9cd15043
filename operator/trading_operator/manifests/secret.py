"""Secrets with generated values: only their frame, never a value."""

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_ownerless_metadata,
    build_part_labels,
)


def build_secret_frame(part: Part, name: str) -> Manifest:
    """Build a Secret without data; it outlives the system as the volume it opens does."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": build_ownerless_metadata(part.owner, name, build_part_labels(part)),
        "type": "Opaque",
    }
