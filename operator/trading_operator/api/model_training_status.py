"""What the operator says of a ModelTrainingJob."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from trading_operator.api.backup_status import Count, JobName, Moment, Word, Words
from trading_operator.api.common import Condition, Model, map_list

MAX_ATTEMPTS = 10
MAX_LAUNCHES = 10
MAX_HISTORY = 20
MAX_PREVIOUS = 10
MAX_BLOCKED = 20
MAX_METRICS = 32
MAX_FOLDS = 20
MAX_GATE_RESULTS = 40
_TIME: dict[str, Any] = {"format": "date-time"}
Digest = Annotated[str, Field(max_length=64)]
Id = Annotated[str, Field(max_length=128)]
NUMBER_LENGTH = 32
Number = Annotated[str, Field(max_length=NUMBER_LENGTH)]  # a decimal, or NaN


def _moment(description: str) -> Any:
    told = f"{description.rstrip('.')} (RFC 3339, UTC)."
    return Field(None, description=told, json_schema_extra=_TIME)


class TrainingPhase(StrEnum):
    """Where the newest run stands."""

    PENDING = "Pending"  # nothing has begun yet, or something must come first
    WAITING = "Waiting"  # its pod does not run: for want of a device, a quota, an image, a volume
    TRAINING = "Training"
    SUCCEEDED = "Succeeded"  # it trained a version
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class LaunchOutcome(StrEnum):
    """How one Job of a run ended."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    DEVICE_UNAVAILABLE = "DeviceUnavailable"  # the next device is tried
    SUSPENDED = "Suspended"
    SUPERSEDED = "Superseded"  # the spec changed
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    VANISHED = "Vanished"  # somebody deleted it


class RunOutcome(StrEnum):
    """How a run ended."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SUPERSEDED = "Superseded"


class PromotionPhase(StrEnum):
    """Where the newest version stands on its way into use."""

    REFUSED = "Refused"  # a gate failed
    AWAITING_APPROVAL = "AwaitingApproval"
    LOADING = "Loading"  # it is selected, and the service has not loaded it yet
    OBSERVING = "Observing"
    KEPT = "Kept"  # the window is over
    ROLLED_BACK = "RolledBack"


class HistoryEvent(StrEnum):
    """What happened to a version."""

    PROMOTED = "Promoted"
    KEPT = "Kept"
    ROLLED_BACK = "RolledBack"
    REFUSED = "Refused"


class Launch(Model):
    """One Job of a run: another one follows when a device is not to be had, or after a pause."""

    number: Annotated[int, Field(ge=1, le=10_000)] = Field(description="Number within the run.")
    job: JobName = Field(description="Name of the Job.")
    device: Word = Field(description="Name of the device that it runs on.")
    outcome: LaunchOutcome = Field(
        description="Running, Succeeded, Failed, DeviceUnavailable, Suspended, Superseded, "
        "DeadlineExceeded or Vanished."
    )
    since: Moment | None = Field(
        None,
        description="When it was made (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    ran_seconds: Count = Field(0, description="Seconds that its program ran.")
    message: Words | None = Field(None, description="Why it ended so.")


class TrainingRun(Model):
    """One training, whatever number of Jobs it took."""

    number: Annotated[int, Field(ge=1)] = Field(description="Number of the run.")
    recipe: Digest = Field(description="Digest of what decides the result.")
    outcome: RunOutcome = Field(description="Running, Succeeded, Failed or Superseded.")
    scheduled_for: Moment | None = Field(
        None,
        description="When it was due by the schedule (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    started_at: Moment | None = _moment("When it began.")
    ended_at: Moment | None = _moment("When it ended.")
    ran_seconds: Count = Field(
        0,
        description="Seconds that its programs ran in Jobs that are over; the deadline counts "
        "these, whatever pauses were between.",
    )
    reason: Word | None = Field(None, description="Why it failed, as one CamelCase word.")
    message: Words | None = Field(None, description="Why it failed, for people.")
    champion: Id | None = Field(
        None, description="The version that it is compared with, as selected when it began."
    )
    launches: list[Launch] = Field(
        default_factory=list,
        max_length=MAX_LAUNCHES,
        description="Its newest Jobs, oldest first.",
        json_schema_extra=map_list("number"),
    )


class Checkpoint(Model):
    """A point from which a training goes on after it was cut off."""

    step: Count = Field(description="Step that it holds.")
    at: Moment | None = Field(
        None, description="When it was written (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    sha256: Digest = Field(description="Digest of its manifest.")
    attempt: Count = Field(description="Attempt that wrote it.")


class TrainingAttempt(Model):
    """One start of the program within a run."""

    number: Annotated[int, Field(ge=1)] = Field(description="Number within the run.")
    resumed_from_step: Count = Field(0, description="Step that it went on from; 0: the start.")
    lost_steps: Count = Field(0, description="Steps of the attempt before that were done again.")


class Metric(Model):
    """One number that a trainer tells."""

    name: Word = Field(description="Name of the metric.")
    value: Number = Field(description="Its value.")


class TrainingProgress(Model):
    """How far a run is, as its program says."""

    stage: Word = Field(description="What it does now, e.g. Fold 3 of 5.")
    step: Count = Field(0, description="Steps that are done: trees, or epochs.")
    steps: Count = Field(0, description="Steps in all; 0 when that is not known.")
    percent: Annotated[int, Field(ge=0, le=100)] = Field(0, description="Share that is done.")
    remaining_seconds: Count | None = Field(None, description="Seconds that are left, estimated.")
    metrics: list[Metric] = Field(
        default_factory=list,
        max_length=MAX_METRICS,
        description="What it measures on the way.",
        json_schema_extra=map_list(),
    )
    updated_at: Moment | None = Field(
        None, description="When it said so (RFC 3339, UTC).", json_schema_extra=_TIME
    )


class Fold(Model):
    """What a version scored in one fold, on bars that the fold was not trained on."""

    number: Annotated[int, Field(ge=1)] = Field(description="Number of the fold.")
    metrics: list[Metric] = Field(
        default_factory=list,
        max_length=MAX_METRICS,
        description="Its metrics.",
        json_schema_extra=map_list(),
    )


class ModelVersion(Model):
    """One trained version, as the registry has it."""

    id: Id = Field(description="Its id in the registry (model_registry.model_id).")
    digest: Digest = Field(description="SHA-256 of its file.")
    file: Word = Field(description="Name of its file on the models volume.")
    format: Word = Field(description="Format of the file: lightgbm or onnx.")
    run: Count = Field(0, description="Number of the run that made it.")
    trained_until: Moment | None = Field(
        None,
        description="Last bar that had any part in making or judging it (RFC 3339, UTC): it "
        "trades later ones only.",
        json_schema_extra=_TIME,
    )
    data_digest: Digest | None = Field(None, description="SHA-256 of the data.")
    code_digest: Digest | None = Field(None, description="SHA-256 of the training code.")
    feature_schema_hash: Digest | None = Field(
        None, description="Digest of how its features are computed."
    )
    image: Annotated[str, Field(max_length=512)] | None = Field(
        None, description="Image that it was trained by."
    )
    device: Word | None = Field(None, description="Device that it was trained on.")
    bars: Count | None = Field(None, description="Bars of each symbol that it was made from.")
    metrics: list[Metric] = Field(
        default_factory=list,
        max_length=MAX_METRICS,
        description="Means over the folds.",
        json_schema_extra=map_list(),
    )
    folds: list[Fold] = Field(
        default_factory=list,
        max_length=MAX_FOLDS,
        description="What it scored in each fold.",
        json_schema_extra=map_list("number"),
    )


class GateResult(Model):
    """One gate, and what came of it."""

    name: Word = Field(description="The gate, e.g. oosSharpe >= 0.5, or a leakage check.")
    passed: bool = Field(description="Whether it lets the version pass.")
    value: Number | None = Field(None, description="What was measured; absent when nothing was.")
    bound: Number | None = Field(None, description="What it was compared with.")
    message: Words | None = Field(None, description="Why it failed, for people.")


class SelectedModel(Model):
    """A version that is traded with, or was."""

    id: Id = Field(description="Its id in the registry.")
    digest: Digest = Field(description="SHA-256 of its file.")
    file: Word = Field(description="Name of its file.")
    format: Word = Field(description="Format of the file.")
    feature_schema_hash: Digest | None = Field(
        None, description="Digest of how its features are computed."
    )
    trained_until: Moment | None = Field(
        None,
        description="Last bar that had any part in it (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    since: Moment | None = Field(
        None, description="When it was selected (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    by: Words | None = Field(None, description="Who selected it.")
    why: Words | None = Field(None, description="Why.")
    metric: Number | None = Field(None, description="Its first gate's metric when it was judged.")


class BlockedModel(Model):
    """A version that went back: it is not selected again by itself."""

    id: Id = Field(description="Its id in the registry.")
    at: Moment | None = Field(
        None, description="When it went back (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    why: Words | None = Field(None, description="Why.")


class HistoryEntry(Model):
    """Something that happened to a version; entries are only ever added."""

    sequence: Count = Field(description="Number of the entry.")
    at: Moment | None = Field(None, description="When (RFC 3339, UTC).", json_schema_extra=_TIME)
    event: HistoryEvent = Field(description="Promoted, Kept, RolledBack or Refused.")
    version: Id = Field(description="Which version.")
    by: Words | None = Field(None, description="Who: the operator, or the annotation's author.")
    why: Words | None = Field(None, description="Why.")


class PromotionState(Model):
    """Where the newest version stands on its way into use."""

    phase: PromotionPhase = Field(
        description="Refused, AwaitingApproval, Loading, Observing, Kept or RolledBack."
    )
    version: Id = Field(description="Which version.")
    since: Moment | None = _moment("Since when it stands there; absent: no time counts now.")
    loaded_at: Moment | None = _moment("When the service had loaded it, likewise.")
    silent_since: Moment | None = _moment("Since when the service, though Ready, is silent of it.")
    message: Words | None = Field(None, description="What is waited for, or what went wrong.")
    live: list[Metric] = Field(
        default_factory=list,
        max_length=MAX_METRICS,
        description="What the service tells of it.",
        json_schema_extra=map_list(),
    )


class HandledCommands(Model):
    """Values of the annotations that were handled last."""

    approve: Word | None = Field(None, description="Of tradingoperator.io/approve.")
    rollback_to: Word | None = Field(None, description="Of tradingoperator.io/rollback-to.")
    retry: Word | None = Field(None, description="Of tradingoperator.io/retry.")
    refused: Words | None = Field(None, description="Why the last one was not carried out.")


class ModelTrainingJobStatus(Model):
    """What the operator last saw."""

    observed_generation: int = Field(
        0, ge=0, description="Generation of the spec that this status was computed from."
    )
    phase: TrainingPhase = Field(
        TrainingPhase.PENDING,
        description="Pending, Waiting, Training, Succeeded, Failed or Suspended.",
    )
    summary: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Progress of the run in a few characters, e.g. 45% (20s left)."
    )
    score: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="First gate's metric of the newest version, the champion's in brackets."
    )
    promoted: Annotated[str, Field(max_length=32)] | None = Field(
        None, description="Where the newest version stands, in one word."
    )
    run: TrainingRun | None = Field(None, description="The newest run.")
    attempts: list[TrainingAttempt] = Field(
        default_factory=list,
        max_length=MAX_ATTEMPTS,
        description="Newest starts of its program, oldest first.",
        json_schema_extra=map_list("number"),
    )
    lost_steps: Count = Field(0, description="Steps of the run that were done more than once.")
    progress: TrainingProgress | None = Field(
        None, description="How far the run is, while it goes on."
    )
    last_checkpoint: Checkpoint | None = Field(
        None, description="The newest checkpoint of the run."
    )
    version: ModelVersion | None = Field(None, description="The newest trained version.")
    gates: list[GateResult] = Field(
        default_factory=list,
        max_length=MAX_GATE_RESULTS,
        description="Every gate of the newest version, with its value.",
        json_schema_extra=map_list(),
    )
    promotion: PromotionState | None = Field(
        None, description="Where the newest version stands on its way into use."
    )
    champion: SelectedModel | None = Field(None, description="The version that is traded with.")
    previous: list[SelectedModel] = Field(
        default_factory=list,
        max_length=MAX_PREVIOUS,
        description="Versions that were traded with before, newest first: what may be gone back "
        "to.",
        json_schema_extra=map_list("id"),
    )
    blocked: list[BlockedModel] = Field(
        default_factory=list,
        max_length=MAX_BLOCKED,
        description="Versions that went back, newest first.",
        json_schema_extra=map_list("id"),
    )
    promotion_history: list[HistoryEntry] = Field(
        default_factory=list,
        max_length=MAX_HISTORY,
        description="What happened to versions, newest last; the registry has all of it.",
        json_schema_extra=map_list("sequence"),
    )
    handled: HandledCommands | None = Field(
        None, description="Commands that were handled, by their values."
    )
    scheduled_since: Moment | None = Field(
        None,
        description="Since when the schedule is in force as it is (RFC 3339, UTC): what should "
        "have begun before is no missed run.",
        json_schema_extra=_TIME,
    )
    scheduled: Annotated[str, Field(max_length=512)] | None = Field(
        None, description="The schedule that is in force, absent while none is."
    )
    next_run: Moment | None = Field(
        None, description="When the next run is due (RFC 3339, UTC); absent when none is."
    )
    missed_runs: Count = Field(0, description="Scheduled runs that never began.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready (models are trained and promoted as the spec says), Reconciling (a run "
        "is under way or waited for), Stalled (a person must mend something), Succeeded (the "
        "newest run trained a version), GatesPassed (it passed its gates), ModelHealthy (the model "
        "that is traded does what it should, and is not expired).",
        json_schema_extra=map_list("type"),
    )
