"""Autoscaling: how many pods a replicated service has, by what it uses or by outside metrics."""

from typing import Annotated

from pydantic import ConfigDict, Field

from trading_operator.api.common import KEYED_PATTERN, Duration, Model, Quantity, rule, rules

MOST_PODS = 1000
Percentage = Annotated[int, Field(ge=1, le=1000)]
MetricName = Annotated[
    str, Field(pattern=r"^[a-zA-Z0-9_:]([-a-zA-Z0-9_:./|]*)$", min_length=1, max_length=128)
]
LabelKey = Annotated[str, Field(pattern=KEYED_PATTERN, max_length=128)]
LabelValue = Annotated[
    str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)
]


class MetricSelector(Model):
    """Which series of a metric count."""

    match_labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=8, description="Labels that the series must have."
    )


class ExternalMetric(Model):
    """A metric from outside the cluster, e.g. the length of a queue, as the metrics API serves it.

    Needs an adapter that serves external.metrics.k8s.io.
    """

    metric: MetricName = Field(description="Name of the metric.")
    selector: MetricSelector | None = Field(
        None, description="Which series of the metric count. Default: all of the namespace."
    )
    average_value: Quantity | None = Field(
        None, description="Target per pod, e.g. 30 for thirty waiting tasks for each pod."
    )
    value: Quantity | None = Field(None, description="Target of the metric as a whole.")

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.averageValue) != has(self.value)",
                "an external metric has either averageValue or value, not both and not neither",
            )
        )
    )


class Autoscaling(Model):
    """How many pods run: between `min` and `max`, as many as the metrics ask for."""

    min: int = Field(1, ge=1, le=MOST_PODS, description="Fewest pods. Default: 1.")
    max: int = Field(ge=1, le=MOST_PODS, description="Most pods; at least min.")
    cpu: Percentage | None = Field(
        None,
        description="Target of the processor time used, in percent of resources.requests.cpu, on "
        "average over the pods.",
    )
    memory: Percentage | None = Field(
        None,
        description="Target of the memory used, in percent of resources.requests.memory, on "
        "average over the pods.",
    )
    external: list[ExternalMetric] = Field(
        default_factory=list,
        max_length=8,
        description="Metrics from outside the cluster; the one that asks for most pods counts.",
    )
    scale_down_stabilization: Duration | None = Field(
        None,
        description="For how long the load must be lower before pods go, at most 1h. Default: 5m.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!has(self.min) || self.min <= self.max", "max is at least min", fieldPath=".max"),
            rule(
                "has(self.cpu) || has(self.memory) || "
                "(has(self.external) && size(self.external) > 0)",
                "autoscaling needs a target: set cpu, memory or external",
            ),
        )
    )
