"""ModelTrainingJob: a model, trained, proven out of sample, promoted, and taken back."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from trading_operator.api.common import (
    Argument,
    Duration,
    Image,
    Model,
    Name,
    ObjectName,
    Resources,
    map_list,
    name_rule,
    rule,
    rules,
)
from trading_operator.api.model_training_parts import (
    MAX_DEVICES,
    MAX_GATES,
    METRICS,
    Assumptions,
    Checkpoints,
    Dataset,
    Device,
    FeatureName,
    Gate,
    LeakageCheck,
    ModelLine,
    ModelRetention,
    Promotion,
    TrainerName,
    TrainingSchedule,
    Validation,
)
from trading_operator.api.model_training_status import ModelTrainingJobStatus

KIND = "ModelTrainingJob"
PLURAL = "modeltrainingjobs"
SHORT_NAME = "mtj"
MAX_TRAINING_NAME = 40  # Jobs add numbers of the run and the launch
_WORDS = ", ".join(f"'{each}'" for each in METRICS)


class ModelTrainingJobSpec(Model):
    """What is trained on which data and device, how it is judged, and how it comes into use."""

    system: Name = Field(
        description="Name of the trading system, in the same namespace.",
        json_schema_extra=rules(
            rule(
                "self == oldSelf",
                "system is immutable: make another ModelTrainingJob for another system",
            )
        ),
    )
    model: ModelLine = Field(
        description="Which model it is.",
        json_schema_extra=rules(
            rule(
                "self == oldSelf",
                "model is immutable: make another ModelTrainingJob for another model",
            )
        ),
    )
    trainer: TrainerName = Field(
        TrainerName.LIGHTGBM,
        description="Built-in trainer: LightGBM (boosted trees) or Sequence (a recurrent PyTorch "
        "network, on a GPU where there is one). With `command` it is told to your program. "
        "Default: LightGBM.",
    )
    image: Image | None = Field(
        None, description="Image of the training program. Default: the trainer's own."
    )
    command: list[Argument] | None = Field(
        None,
        max_length=32,
        description="Your own training program, which keeps the Job contract of "
        "docs/training-program.md. Default: the built-in trainer.",
    )
    dataset: Dataset = Field(description="What is trained on.")
    features: list[FeatureName] = Field(
        default_factory=list,
        max_length=256,
        description="Features that are used. Default: all that feature_config.json makes.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    config: Name | None = Field(
        None,
        description="Name of the system's config with feature_config.json, mounted at /app/config. "
        "Default: the built-in features.",
    )
    horizon_bars: int = Field(
        1, ge=1, le=1000, description="Bars from entry to exit of what is predicted. Default: 1."
    )
    hyperparameters: dict[
        Annotated[str, Field(pattern="^[a-z][a-zA-Z0-9_]*$", max_length=63)],
        Annotated[str, Field(max_length=64)],
    ] = Field(
        default_factory=dict,
        max_length=64,
        description='Settings of the trainer as texts, e.g. num_leaves: "5". LightGBM has its own '
        "parameters and rounds; Sequence epochs, window, hidden, batch_size, learning_rate, "
        "weight_decay.",
    )
    seed: int = Field(
        7,
        ge=0,
        le=2147483647,
        description="Seed of everything that is drawn: the same data and spec give the same "
        "version. Default: 7.",
    )
    devices: list[Device] = Field(
        default_factory=list,
        max_length=MAX_DEVICES,
        description="Hardware in the order in which it is tried, e.g. a GPU, then the CPU. "
        "Default: the CPU.",
        json_schema_extra=map_list(),
    )
    resources: Resources = Field(
        default_factory=Resources, description="Compute resources of the training's pod."
    )
    priority_class_name: ObjectName | None = Field(
        None, description="PriorityClass of the pod. Default: the cluster's."
    )
    queue_name: ObjectName | None = Field(
        None,
        description="Kueue's LocalQueue that admits the Jobs; they are made suspended. Default: "
        "none.",
    )
    volume: Name = Field(
        "models",
        description="Name of the system's volume that the service reads models from; checkpoints "
        "are kept there too, while a run goes on. Default: models.",
    )
    checkpoints: Checkpoints = Field(
        default_factory=Checkpoints, description="How a training that is cut off goes on."
    )
    validation: Validation = Field(
        default_factory=Validation, description="How a version is judged out of sample."
    )
    assumptions: Assumptions = Field(
        default_factory=Assumptions, description="How scores are traded when a version is judged."
    )
    leakage_checks: list[LeakageCheck] = Field(
        default_factory=lambda: [LeakageCheck.LABEL_SHUFFLE, LeakageCheck.FUTURE_SHIFT],
        max_length=2,
        description="Checks that betray knowledge of the future: LabelShuffle (trained on shuffled "
        "labels it must know nothing), FutureShift (its skill must not vanish when the features "
        "are delayed). Each is a gate. Default: both.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    gates: list[Gate] = Field(
        default_factory=list,
        max_length=MAX_GATES,
        description="Conditions of a promotion; all must hold. Default: the leakage checks alone.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    promotion: Promotion | None = Field(
        None, description="How a version comes into use. Default: versions are only registered."
    )
    retention: ModelRetention = Field(
        default_factory=ModelRetention, description="Which versions' files stay."
    )
    schedule: TrainingSchedule | None = Field(
        None,
        description="When it is trained again. Default: once, and again when what decides the "
        "result changes or tradingoperator.io/retry asks.",
    )
    suspend: bool = Field(
        False,
        description="true: the run under way stops at a checkpoint and goes on later; none begins. "
        "Default: false.",
    )
    deadline: Duration = Field(
        "6h",
        description="How long a run's programs may run in all, pauses and the wait for a device "
        "not counted. Default: 6h.",
    )
    retries: int = Field(
        3,
        ge=0,
        le=100,
        description="How often a program that failed is started again; disruptions do not count. "
        "Default: 3.",
    )
    ttl: Duration = Field("24h", description="How long a Job stays after its end. Default: 24h.")

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                f"has(self.command) || !has(self.gates) || "
                f"self.gates.all(g, g.metric in [{_WORDS}])",
                f"the built-in trainers tell {', '.join(METRICS)} alone: mend gates[].metric, or "
                "set command to a program that tells it",
                fieldPath=".gates",
            ),
            rule(
                "!has(self.gates) || has(self.promotion) || "
                "!self.gates.exists(g, has(g.relativeTo))",
                "without promotion no champion is known: set promotion, or compare with a value",
                fieldPath=".gates",
            ),
            rule(
                "!has(self.deadline) || duration(self.deadline) >= duration('10s')",
                "deadline must be at least 10s",
                fieldPath=".deadline",
            ),
            rule(
                "!has(self.command) || has(self.image)",
                "a program of your own is in an image of your own: set image",
                fieldPath=".image",
            ),
        )
    )


class ModelTrainingJob(Model):
    """A model of a trading system: trained, proven out of sample, promoted, and taken back."""

    spec: ModelTrainingJobSpec = Field(
        description="What is trained on which data and device, how it is judged, and how it comes "
        "into use."
    )
    status: ModelTrainingJobStatus | None = Field(
        None, description="What the operator last saw; written by the operator alone."
    )


def printer_columns() -> list[dict[str, Any]]:
    """Build the columns of `kubectl get modeltrainingjobs`."""
    return [
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Progress", "type": "string", "jsonPath": ".status.summary"},
        {"name": "Score", "type": "string", "jsonPath": ".status.score"},
        {"name": "Version", "type": "string", "jsonPath": ".status.version.id"},
        {"name": "Promoted", "type": "string", "jsonPath": ".status.promoted"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def root_rules() -> list[dict[str, str]]:
    """Build the rules on the whole object: derived names must fit."""
    return [name_rule(MAX_TRAINING_NAME)]
