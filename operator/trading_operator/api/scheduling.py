"""Where pods run, and how many of them a node drain may stop at once."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from trading_operator.api.autoscaling import LabelKey, LabelValue
from trading_operator.api.common import Model, ObjectName, rule, rules

HOSTNAME = "kubernetes.io/hostname"
_AMOUNT = "^([0-9]{1,4}|[0-9]{1,2}%|100%)$"
Amount = Annotated[
    str,
    BeforeValidator(str),
    Field(
        pattern=_AMOUNT,
        max_length=4,
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "pattern": _AMOUNT,
            "minimum": 0,
            "maximum": 9999,
        },
    ),
]


class TolerationOperator(StrEnum):
    """How a toleration compares."""

    EQUAL = "Equal"
    EXISTS = "Exists"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Model):
    """A taint that the pods do not mind."""

    key: LabelKey | None = Field(
        None, description="Key of the taint. Default: every key, which needs operator: Exists."
    )
    operator: TolerationOperator = Field(
        TolerationOperator.EQUAL,
        description="Equal (the value must be the same) or Exists (any value). Default: Equal.",
    )
    value: LabelValue | None = Field(None, description="Value of the taint, for Equal.")
    effect: TaintEffect | None = Field(
        None, description="NoSchedule, PreferNoSchedule or NoExecute. Default: all of them."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=86400)] | None = Field(
        None,
        description="How long a NoExecute taint is tolerated, in seconds. Default: for ever.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
                "a toleration without key needs operator: Exists",
            ),
            rule(
                "!has(self.value) || !has(self.operator) || self.operator == 'Equal'",
                "a toleration with operator: Exists has no value",
            ),
            rule(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds needs effect: NoExecute",
            ),
        )
    )


class WhenUnsatisfiable(StrEnum):
    """What becomes of a pod that cannot be spread."""

    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"


class TopologySpread(Model):
    """How evenly the pods are spread."""

    key: LabelKey = Field(
        description="Label of the nodes over whose values the pods are spread, e.g. "
        "kubernetes.io/hostname or topology.kubernetes.io/zone."
    )
    max_skew: int = Field(
        1, ge=1, le=100, description="Largest difference between two values. Default: 1."
    )
    when_unsatisfiable: WhenUnsatisfiable = Field(
        WhenUnsatisfiable.SCHEDULE_ANYWAY,
        description="ScheduleAnyway (a wish) or DoNotSchedule (a pod that cannot be spread "
        "waits). Default: ScheduleAnyway.",
    )


class Scheduling(Model):
    """On which nodes the pods run."""

    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=8, description="Labels that a node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=8, description="Taints that the pods do not mind."
    )
    priority_class_name: ObjectName | None = Field(
        None, description="PriorityClass of the pods. Default: the cluster's default."
    )
    topology_spread: list[TopologySpread] | None = Field(
        None,
        max_length=4,
        description="How the pods of a replicated service are spread; an empty list spreads them "
        "not at all. Default: over the nodes, as far as possible.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["key"],
        },
    )


class DisruptionBudget(Model):
    """How many pods a node drain leaves or takes at once: exactly one of the two."""

    min_available: Amount | None = Field(
        None, description="Pods that stay ready, as a number or in percent, e.g. 1 or 50%."
    )
    max_unavailable: Amount | None = Field(
        None, description="Pods that may be away, as a number or in percent, e.g. 1 or 25%."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.minAvailable) != has(self.maxUnavailable)",
                "a disruption budget has either minAvailable or maxUnavailable, not both and not "
                "neither",
            )
        )
    )
