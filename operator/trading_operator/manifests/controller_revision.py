"""ControllerRevisions: what was rendered of a system, kept under a name that tells its content."""

from collections.abc import Mapping
from typing import Any

from trading_operator.manifests.metadata import (
    ADOPT_ANNOTATION,
    COMMAND_PREFIX,
    Manifest,
    Owner,
    build_metadata,
    build_system_labels,
    child_name,
)

KIND = "ControllerRevision"
OUTCOME_LABEL = f"{COMMAND_PREFIX}outcome"  # Unproven, Good, Failed or Withdrawn
# What is written about a revision, by the field of its state.
ANNOTATIONS = {
    "adopted": ADOPT_ANNOTATION,
    "retried": f"{COMMAND_PREFIX}retry",
    "component": f"{COMMAND_PREFIX}failed-component",
    "reason": f"{COMMAND_PREFIX}failed-reason",
    "message": f"{COMMAND_PREFIX}failed-message",
    "return_to": f"{COMMAND_PREFIX}return-to",
    "asked": f"{COMMAND_PREFIX}rollback-to",
}


def build_controller_revision(
    owner: Owner, digest: str, number: int, state: Mapping[str, str], data: Mapping[str, Any]
) -> Manifest:
    """Build a revision; `number` grows with each one that comes into force.

    `state` is what is said about it now; an empty text takes back what was said before.
    """
    labels = build_system_labels(owner)
    if state.get("outcome"):
        labels[OUTCOME_LABEL] = state["outcome"]
    metadata = build_metadata(owner, child_name(owner, digest), labels)
    annotations = {name: state[field] for field, name in ANNOTATIONS.items() if field in state}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "apps/v1",
        "kind": KIND,
        "metadata": metadata,
        "revision": number,
        "data": dict(data),
    }


def read_state(manifest: Manifest) -> dict[str, str]:
    """Return what is said about a live revision."""
    metadata = manifest["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    said = {field: str(annotations.get(name, "")) for field, name in ANNOTATIONS.items()}
    return {**said, "outcome": str(labels.get(OUTCOME_LABEL, ""))}
