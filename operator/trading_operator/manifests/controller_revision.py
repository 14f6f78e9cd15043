"""ControllerRevisions: what was rendered of a system, kept under a name that tells its content."""

from collections.abc import Mapping

from trading_operator.manifests.metadata import (
    ADOPT_ANNOTATION,
    Manifest,
    Owner,
    build_metadata,
    build_system_labels,
    child_name,
)

KIND = "ControllerRevision"


def build_controller_revision(
    owner: Owner, digest: str, number: int, adopted: str, components: Mapping[str, Manifest]
) -> Manifest:
    """Build a revision; `number` grows with each one that comes into force.

    `adopted` is the value of the command by which its renderings were adopted, empty for none.
    """
    metadata = build_metadata(owner, child_name(owner, digest), build_system_labels(owner))
    if adopted:
        metadata["annotations"] = {ADOPT_ANNOTATION: adopted}
    return {
        "apiVersion": "apps/v1",
        "kind": KIND,
        "metadata": metadata,
        "revision": number,
        "data": {"components": dict(components)},
    }
