"""Where pods run: the scheduling fields of a pod template."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_operator.manifests.metadata import Manifest, Owner, build_system_selector

HOSTNAME = "kubernetes.io/hostname"
# Of every pod that uses a ReadWriteOnce volume; the value names the group that shares a node.
SAME_NODE_LABEL = "tradingoperator.io/same-node"


@dataclass(frozen=True)
class Spread:
    """How evenly a component's pods are spread over the values of a node label."""

    key: str
    max_skew: int
    unsatisfiable: str  # ScheduleAnyway | DoNotSchedule


@dataclass(frozen=True)
class Placement:
    """On which nodes a component's pods run."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Manifest, ...] = ()
    priority_class: str | None = None
    spread: tuple[Spread, ...] = ()
    same_node: str | None = None  # the group of pods that share a node


def build_placement_labels(placement: Placement) -> dict[str, str]:
    """Build the labels by which pods that share a node find each other."""
    return {} if placement.same_node is None else {SAME_NODE_LABEL: placement.same_node}


def build_placement(owner: Owner, selector: Mapping[str, str], placement: Placement) -> Manifest:
    """Build the scheduling fields of a pod spec; `selector` selects the component's pods."""
    fields: Manifest = {
        "nodeSelector": dict(placement.node_selector),
        "tolerations": list(placement.tolerations),
        "priorityClassName": placement.priority_class,
        "topologySpreadConstraints": [_build_spread(selector, each) for each in placement.spread],
        "affinity": _build_affinity(owner, placement.same_node),
    }
    return {name: value for name, value in fields.items() if value}


def _build_spread(selector: Mapping[str, str], spread: Spread) -> Manifest:
    return {
        "maxSkew": spread.max_skew,
        "topologyKey": spread.key,
        "whenUnsatisfiable": spread.unsatisfiable,
        "labelSelector": {"matchLabels": dict(selector)},
    }


def _build_affinity(owner: Owner, group: str | None) -> Manifest:
    """Build the affinity of a group to itself.

    One term alone: the scheduler lets the first pod go anywhere only when no pod matches all
    terms, so that a term for each volume would tear apart pods that share some of them.
    """
    if group is None:
        return {}
    labels = {**build_system_selector(owner), SAME_NODE_LABEL: group}
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": labels}}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
