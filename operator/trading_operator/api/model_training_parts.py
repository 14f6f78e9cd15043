"""The parts of a ModelTrainingJob's spec: data, devices, validation, gates, promotion."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from trading_operator.api.autoscaling import LabelKey, LabelValue
from trading_operator.api.backup_parts import Cron, TimeZone
from trading_operator.api.common import (
    Duration,
    Model,
    Name,
    ObjectName,
    Resources,
    map_list,
    rule,
    rules,
)
from trading_operator.api.scheduling import Toleration

DECIMAL_PATTERN = r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$"
MAX_DEVICES = 8
MAX_GATES = 32
MAX_SYMBOLS = 256
# What the built-in trainers tell of a model, each measured on bars that it was not trained on.
METRICS = ("oosSharpe", "oosAuc", "oosLogloss", "oosHitRate")
# What a strategy tells of a model that it trades with.
LIVE_METRICS = ("liveSharpe", "liveHitRate", "liveLogloss")

DecimalText = Annotated[str, Field(pattern=DECIMAL_PATTERN, max_length=20)]
MetricName = Annotated[str, Field(pattern="^[a-z][a-zA-Z0-9]*$", max_length=63)]
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$"
# A day (2017-01-01, which begins at midnight UTC) or a moment (2017-01-01T14:30:00Z).
DataMoment = Annotated[str, Field(pattern=_MOMENT, max_length=20)]
Symbol = Annotated[str, Field(pattern="^[A-Za-z0-9._/-]+$", min_length=1, max_length=32)]
FeatureName = Annotated[str, Field(pattern="^[A-Za-z0-9_.-]+$", min_length=1, max_length=63)]
VersionId = Annotated[str, Field(pattern="^[A-Za-z0-9._-]+$", min_length=1, max_length=128)]


class TrainerName(StrEnum):
    """A built-in trainer."""

    LIGHTGBM = "LightGBM"
    SEQUENCE = "Sequence"


class ModelLine(Model):
    """Which model it is: versions of one type and timeframe succeed each other."""

    type: Annotated[str, Field(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)] = Field(
        description="Type of the model as the registry has it, e.g. lightgbm-direction."
    )
    timeframe: Annotated[str, Field(pattern="^[0-9]+[a-zA-Z]+$", max_length=16)] = Field(
        description="Length of its bars, e.g. 1d or 1h."
    )


class Dataset(Model):
    """What is trained on: bars and features of a datastore of the system."""

    source: Name = Field(description="Name of the system's TimescaleDB datastore.")
    symbols: list[Symbol] = Field(
        min_length=1,
        max_length=MAX_SYMBOLS,
        description="Instruments that the model is pooled over, e.g. AAPL.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    from_: DataMoment | None = Field(
        None,
        alias="from",
        description="First bar, e.g. 2017-01-01 or 2017-01-01T14:30:00Z. Default: the first one.",
    )
    to: DataMoment | None = Field(
        None, description="Last bar, likewise. Default: the last there is."
    )
    as_of: DataMoment | None = Field(
        None,
        description="No bar after this moment is read, whatever `to` says, so that a training can "
        "be repeated. Default: none.",
    )
    min_bars: int = Field(
        400,
        ge=50,
        le=1_000_000,
        description="Bars with all features that every symbol must have; with fewer the training "
        "fails. Default: 400.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.from) || !has(self.to) || self.from < self.to",
                "dataset.to must be after dataset.from",
                fieldPath=".to",
            ),
            rule(
                "!has(self.from) || !has(self.asOf) || self.from < self.asOf",
                "dataset.asOf must be after dataset.from",
                fieldPath=".asOf",
            ),
        )
    )


class Device(Model):
    """Hardware that a training may run on; those of the list are tried in its order."""

    name: Name = Field(description="Name of the alternative, e.g. gpu or cpu.")
    resource: (
        Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-zA-Z0-9._-]+$", max_length=253)] | None
    ) = Field(
        None,
        description="Extended resource, e.g. nvidia.com/gpu or nvidia.com/mig-1g.10gb. Default: "
        "none, the training runs on the CPU.",
    )
    count: int = Field(
        1, ge=1, le=64, description="Number of devices, where resource is set. Default: 1."
    )
    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=32, description="Labels that its node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=32, description="Taints of its node that do not matter."
    )
    runtime_class_name: ObjectName | None = Field(
        None, description="RuntimeClass of the pod, e.g. nvidia. Default: the node's own."
    )
    wait_for: Duration | None = Field(
        None,
        description="How long to wait for a node with this device before the next one of the list "
        "is tried. Default: 10m; for the last one as long as it takes.",
    )
    resources: Resources | None = Field(
        None, description="Compute resources on this device. Default: spec.resources."
    )


class ValidationScheme(StrEnum):
    """How a model is judged out of sample."""

    PURGED_WALK_FORWARD = "PurgedWalkForward"


class Validation(Model):
    """How a model is judged on bars that it was not trained on."""

    scheme: ValidationScheme = Field(
        ValidationScheme.PURGED_WALK_FORWARD,
        description="PurgedWalkForward: each fold is trained on the past, without samples whose "
        "label reaches into what is tested. Default: PurgedWalkForward.",
    )
    folds: int = Field(5, ge=2, le=20, description="Number of folds. Default: 5.")
    embargo_bars: int = Field(
        5, ge=0, le=10_000, description="Bars left out before what is tested. Default: 5."
    )
    min_train_bars: int = Field(
        250, ge=20, le=1_000_000, description="Bars that the first fold trains on. Default: 250."
    )
    holdout_bars: int = Field(
        100,
        ge=20,
        le=100_000,
        description="Newest bars that are never trained on: challenger and champion are compared "
        "on them. Default: 100.",
    )


class Assumptions(Model):
    """How scores are traded when a model is judged."""

    entry_strength: DecimalText = Field(
        "0.03",
        description="Smallest strength (0 to 1) at which a position is taken. Default: 0.03.",
    )
    cost_bps: DecimalText = Field(
        "3.0", description="Cost of each side in basis points. Default: 3.0."
    )
    bars_per_year: int = Field(
        252,
        ge=1,
        le=600_000,
        description="Bars in a year, which ratios are scaled by. Default: 252.",
    )


class LeakageCheck(StrEnum):
    """A check that betrays knowledge of the future."""

    LABEL_SHUFFLE = "LabelShuffle"
    FUTURE_SHIFT = "FutureShift"


class GateOperator(StrEnum):
    """How a gate compares."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"

    def holds(self, value: Decimal, bound: Decimal) -> bool:
        """Tell whether `value` is on the right side of `bound`."""
        match self:
            case GateOperator.AT_LEAST:
                return value >= bound
            case GateOperator.AT_MOST:
                return value <= bound
            case GateOperator.ABOVE:
                return value > bound
            case GateOperator.BELOW:
                return value < bound


class RelativeTo(StrEnum):
    """What a gate compares with."""

    CHAMPION = "Champion"


class Gate(Model):
    """A condition that a version must meet before it may be promoted; a missing value fails it."""

    metric: MetricName = Field(
        description="Metric of the version: oosSharpe, oosAuc, oosLogloss or oosHitRate, or one "
        "that your own trainer tells."
    )
    op: GateOperator = Field(description=">=, <=, > or <.")
    value: DecimalText | None = Field(None, description='What it is compared with, e.g. "0.5".')
    relative_to: RelativeTo | None = Field(
        None,
        description="Champion: compare with the model that is traded now, on bars that neither "
        "has seen. Without a champion the gate passes.",
    )
    margin: DecimalText = Field(
        "0", description="Added to the champion's value before the comparison. Default: 0."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.value) != has(self.relativeTo)",
                "set either value or relativeTo",
            )
        )
    )


class PromotionMode(StrEnum):
    """Who decides that a version is traded with."""

    MANUAL = "Manual"
    AUTO = "Auto"


class LiveBound(Model):
    """A bound on what a promoted model does in live trading."""

    metric: MetricName = Field(
        description="liveSharpe, liveHitRate or liveLogloss, or one that your own strategy tells."
    )
    op: GateOperator = Field(description=">=, <=, > or <.")
    value: DecimalText = Field(description='What it is compared with, e.g. "0.4".')
    min_bars: int = Field(
        20,
        ge=1,
        le=1_000_000,
        description="Judged bars before which the metric counts for nothing. Default: 20.",
    )


class Observation(Model):
    """How a promoted model is watched, and what takes the one before back."""

    window: Duration = Field(
        "30m", description="How long it is watched once it is loaded. Default: 30m."
    )
    load_deadline: Duration = Field(
        "5m",
        description="How long the service may take to load it; one that it refuses goes back at "
        "once. Default: 5m.",
    )
    max_error_rate: DecimalText = Field(
        "0.05", description="Largest share (0 to 1) of bars that it fails to score. Default: 0.05."
    )
    live: list[LiveBound] = Field(
        default_factory=list,
        max_length=16,
        description="Bounds on live metrics. Default: none.",
        json_schema_extra=map_list("metric"),
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.window) || duration(self.window) >= duration('10s')",
                "window must be at least 10s",
                fieldPath=".window",
            )
        )
    )


class Promotion(Model):
    """How a version comes into use, and goes out of it."""

    mode: PromotionMode = Field(
        PromotionMode.MANUAL,
        description="Manual (a person approves by the annotation tradingoperator.io/approve with "
        "the version's id) or Auto (a version that passes its gates). Default: Manual.",
    )
    service: Name = Field(description="Name of the system's service that trades with the model.")
    port: Name | None = Field(
        None,
        description="Name of its port that answers GET /models. Default: its first one.",
    )
    observation: Observation = Field(
        default_factory=Observation, description="How a promoted model is watched."
    )
    expire_after: Duration | None = Field(
        None,
        description="Age of the data after which a model that is traded is reported as expired, "
        "counted from its promotion, e.g. 720h. It is traded on. Default: never.",
    )


class TrainingSchedule(Model):
    """When a model is trained again."""

    cron: Cron = Field(
        description="Five fields of cron (e.g. 0 22 * * 1-5) or @daily and the like."
    )
    time_zone: TimeZone = Field(
        "Etc/UTC", description="Time zone, e.g. America/New_York. Default: Etc/UTC."
    )
    starting_deadline: Duration = Field(
        "1h",
        description="How late a run may begin; one that could not is missed, and counted. "
        "Default: 1h.",
    )


class Checkpoints(Model):
    """How a training that is cut off goes on."""

    every: Duration = Field("1m", description="How often a checkpoint is written. Default: 1m.")
    keep: int = Field(
        2, ge=1, le=16, description="Checkpoints that stay while a run goes on. Default: 2."
    )


class ModelRetention(Model):
    """Which versions' files stay on the models volume."""

    keep_versions: int = Field(
        10,
        ge=2,
        le=1000,
        description="Newest versions of the model whose files stay, besides those that are traded "
        "or may be gone back to. Their rows in the registry stay. Default: 10.",
    )
