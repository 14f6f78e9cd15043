"""The seal of a rendering: by its digest it is seen what left the plan, and what was touched."""

from trading_operator.manifests.digest import digest_of
from trading_operator.manifests.metadata import RENDERING_ANNOTATION, Manifest
from trading_operator.manifests.volume_claim import CLAIM_KIND


def seal(manifest: Manifest) -> Manifest:
    """Add the digest of the rendering, by which fields that left the plan are seen."""
    metadata = manifest["metadata"]
    digest = digest_of(_without_what_stays(manifest))
    annotations = {**metadata.get("annotations", {}), RENDERING_ANNOTATION: digest}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def bears_seal_of(live: Manifest, manifest: Manifest) -> bool:
    """Tell whether a live object says of itself that it was written as `manifest`."""
    annotations = live["metadata"].get("annotations") or {}
    own: dict[str, str] = seal(manifest)["metadata"]["annotations"]
    return annotations.get(RENDERING_ANNOTATION) == own[RENDERING_ANNOTATION]


def _without_what_stays(manifest: Manifest) -> Manifest:
    """Return a manifest without fields that never leave a plan and that follow the live object."""
    if manifest["kind"] == CLAIM_KIND:
        # What it asks for cannot be taken back, and the server adds to it (the default class).
        return {name: value for name, value in manifest.items() if name != "spec"}
    # An autoscaler's changes of the count are no reason to write.
    if "replicas" not in manifest.get("spec", {}):
        return manifest
    spec = {name: value for name, value in manifest["spec"].items() if name != "replicas"}
    return {**manifest, "spec": spec}
