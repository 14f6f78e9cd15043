"""HorizontalPodAutoscalers: how many pods a Deployment has is theirs to decide."""

from collections.abc import Iterator
from dataclasses import dataclass

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_metadata,
    build_part_labels,
)

KIND = "HorizontalPodAutoscaler"


@dataclass(frozen=True)
class ExternalTarget:
    """A target of a metric from outside; `type` is AverageValue (per pod) or Value."""

    metric: str
    labels: dict[str, str]
    type: str
    amount: str  # canonical


@dataclass(frozen=True)
class Scaling:
    """Between which bounds and by what a Deployment is scaled."""

    least: int
    most: int
    cpu: int | None  # percent of the requests
    memory: int | None
    external: tuple[ExternalTarget, ...] = ()
    down_seconds: int | None = None  # None: the cluster's default


def build_autoscaler(part: Part, scaling: Scaling) -> Manifest:
    """Build the autoscaler of a component's Deployment."""
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": part.name},
        "minReplicas": scaling.least,
        "maxReplicas": scaling.most,
        "metrics": list(_metrics(scaling)),
    }
    if scaling.down_seconds is not None:
        spec["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": scaling.down_seconds}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": KIND,
        "metadata": build_metadata(part.owner, part.name, build_part_labels(part)),
        "spec": spec,
    }


def _metrics(scaling: Scaling) -> Iterator[Manifest]:
    for name, percent in (("cpu", scaling.cpu), ("memory", scaling.memory)):
        if percent is not None:
            target = {"type": "Utilization", "averageUtilization": percent}
            yield {"type": "Resource", "resource": {"name": name, "target": target}}
    for each in scaling.external:
        yield {"type": "External", "external": _build_external(each)}


def _build_external(external: ExternalTarget) -> Manifest:
    metric: Manifest = {"name": external.metric}
    if external.labels:
        metric["selector"] = {"matchLabels": external.labels}
    field = "averageValue" if external.type == "AverageValue" else "value"
    return {"metric": metric, "target": {"type": external.type, field: external.amount}}
