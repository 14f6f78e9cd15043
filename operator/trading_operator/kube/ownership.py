"""Whether an object under a planned name is ours."""

from trading_operator.manifests.metadata import (
    MADE_FOR_ANNOTATION,
    MANAGED_BY,
    OPERATOR_NAME,
    owner_of_labels,
)
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.types import Manifest, Owner


def is_ours(owner: Owner, planned: Manifest, live: Manifest) -> bool:
    """Tell whether a live object is the planned one: by owner, or by label if it has none.

    A claim may be owned or not, as the spec says at the time, and nobody else's is ever taken.
    """
    if is_owned(owner, live):
        return True
    metadata = live["metadata"]
    if planned["kind"] == CLAIM_KIND:
        made_for = (metadata.get("annotations") or {}).get(MADE_FOR_ANNOTATION)
        ours = is_labelled(owner, live) or made_for == owner.uid
        return ours and not metadata.get("ownerReferences")
    return not planned["metadata"].get("ownerReferences") and is_labelled(owner, live)


def is_owned(owner: Owner, live: Manifest) -> bool:
    """Tell whether an object goes when the system goes."""
    references = live["metadata"].get("ownerReferences") or ()
    return any(reference.get("uid") == owner.uid for reference in references)


def is_labelled(owner: Owner, live: Manifest) -> bool:
    """Tell whether an object carries the labels of the system."""
    labels = live["metadata"].get("labels") or {}
    named = owner_of_labels(labels)
    return labels.get(MANAGED_BY) == OPERATOR_NAME and named == (owner.kind, owner.name)


def is_left_over(owner: Owner, live: Manifest) -> bool:
    """Tell whether an object is of a former system of the same name alone: it is about to go."""
    references = live["metadata"].get("ownerReferences") or ()
    return bool(references) and all(
        reference.get("kind") == owner.kind
        and reference.get("name") == owner.name
        and reference.get("uid") != owner.uid
        for reference in references
    )
