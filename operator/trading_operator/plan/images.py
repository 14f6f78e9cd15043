"""Image names: what version they say, and whether they stay what they are."""

from trading_operator.api.reasons import (
    UNPINNED_IMAGE,
)
from trading_operator.plan.types import Finding


def image_tag(image: str) -> str:
    """Return the tag or digest of an image, empty when it has none."""
    _, digest_mark, digest = image.partition("@")
    if digest_mark:
        return digest.rpartition(":")[2]
    return image.rpartition("/")[2].partition(":")[2]


def image_findings(image: str, path: str) -> tuple[Finding, ...]:
    """Return a finding when the image may change behind its name."""
    if image_tag(image) not in ("", "latest"):
        return ()
    message = f"{path}: {image} may change behind its name; use a fixed tag or a digest"
    return (Finding(UNPINNED_IMAGE, message),)
