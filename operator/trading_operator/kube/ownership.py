"""Whether an object under a planned name is ours."""

from trading_operator.manifests.metadata import MANAGED_BY, OPERATOR_NAME, PART_OF
from trading_operator.plan.types import Manifest, Owner


def is_ours(owner: Owner, planned: Manifest, live: Manifest) -> bool:
    """Tell whether a live object is the planned one: by owner, or by label if it has none."""
    if planned["metadata"].get("ownerReferences"):
        references = live["metadata"].get("ownerReferences") or ()
        return any(reference.get("uid") == owner.uid for reference in references)
    labels = live["metadata"].get("labels") or {}
    return labels.get(MANAGED_BY) == OPERATOR_NAME and labels.get(PART_OF) == owner.name


def is_left_over(owner: Owner, live: Manifest) -> bool:
    """Tell whether an object is of a former system of the same name: it is about to go."""
    references = live["metadata"].get("ownerReferences") or ()
    return any(
        reference.get("kind") == owner.kind
        and reference.get("name") == owner.name
        and reference.get("uid") != owner.uid
        for reference in references
    )
