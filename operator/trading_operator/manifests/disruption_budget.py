"""PodDisruptionBudgets: what a node drain leaves of a component."""

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_metadata,
    build_part_labels,
    build_selector,
)

KIND = "PodDisruptionBudget"


def build_disruption_budget(part: Part, bound: str, amount: str) -> Manifest:
    """Build the budget; `bound` is minAvailable or maxUnavailable, `amount` 1 or 50%."""
    return {
        "apiVersion": "policy/v1",
        "kind": KIND,
        "metadata": build_metadata(part.owner, part.name, build_part_labels(part)),
        "spec": {
            bound: int(amount) if amount.isdecimal() else amount,
            "selector": {"matchLabels": build_selector(part.owner, part.component)},
            # A pod that does not serve anyway must not hold up a drain.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
