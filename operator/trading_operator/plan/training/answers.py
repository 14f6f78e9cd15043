"""What a training program says, while it runs and at its end: not trusted blindly."""

from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field, ValidationError

from trading_operator.api.common import Model
from trading_operator.api.model_training_status import MAX_FOLDS, MAX_METRICS
from trading_operator.plan.backup.answers import Count, Moment, Word, Words

_MOST_CHECKS = 8
_MOST_ATTEMPTS = 10


def _first_of(most: int) -> BeforeValidator:
    return BeforeValidator(lambda value: value[:most] if isinstance(value, list) else value)


def _last_of(most: int) -> BeforeValidator:
    return BeforeValidator(lambda value: value[-most:] if isinstance(value, list) else value)


def _numbers(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: str(number) for name, number in list(value.items())[:MAX_METRICS]}


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
VersionId = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,128}$")]
FileName = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Number = Annotated[str, Field(max_length=32)]
Numbers = Annotated[dict[Annotated[str, Field(max_length=63)], Number], BeforeValidator(_numbers)]


class SaidCheckpoint(Model):
    """A checkpoint, as its program tells it."""

    step: Count
    at: Moment = None
    sha256: Sha256
    attempt: Count = 0


class SaidAttempt(Model):
    """One start of the program."""

    number: Annotated[int, Field(ge=1)]
    resumed_from_step: Count = 0
    lost_steps: Count = 0


class TrainingSaid(Model):
    """What a program that runs answers to GET /progress."""

    stage: Word = ""
    step: Count = 0
    steps: Count = 0
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    remaining_seconds: Count | None = None
    metrics: Numbers = Field(default_factory=dict)
    attempts: Annotated[tuple[SaidAttempt, ...], _last_of(_MOST_ATTEMPTS)] = ()
    lost_steps: Count = 0
    checkpoint: SaidCheckpoint | None = None


class SaidVersion(Model):
    """The version that was registered."""

    id: VersionId
    digest: Sha256
    file: FileName
    format: Annotated[str, Field(pattern="^[a-z0-9]{1,32}$")]
    trained_until: Moment = None
    data_digest: Sha256 | None = None
    code_digest: Sha256 | None = None
    feature_schema_hash: Sha256 | None = None
    bars: Count | None = None


class SaidFold(Model):
    """One fold."""

    number: Annotated[int, Field(ge=1)]
    metrics: Numbers = Field(default_factory=dict)


class Comparison(Model):
    """Champion and challenger on the same bars, which neither has seen."""

    champion_id: Word = ""
    champion: Numbers = Field(default_factory=dict)
    challenger: Numbers = Field(default_factory=dict)
    bars: Count = 0
    unavailable: Words = ""  # why there is none, with the mend


class SaidCheck(Model):
    """What a leakage check found."""

    check: Word
    passed: bool
    value: Number = ""
    bound: Number = ""
    message: Words = ""


class TrainingAnswer(Model):
    """What a program says at its end (the pod's termination message)."""

    outcome: Word
    reason: Word = ""
    message: Words = ""
    version: SaidVersion | None = None
    metrics: Numbers = Field(default_factory=dict)
    folds: Annotated[tuple[SaidFold, ...], _first_of(MAX_FOLDS)] = ()
    comparison: Comparison | None = None  # None: there is no champion
    leakage: Annotated[tuple[SaidCheck, ...], _first_of(_MOST_CHECKS)] = ()
    attempts: Annotated[tuple[SaidAttempt, ...], _last_of(_MOST_ATTEMPTS)] = ()
    lost_steps: Count = 0
    checkpoint: SaidCheckpoint | None = None

    @property
    def went_well(self) -> bool:
        """Tell whether it trained and registered a version."""
        return self.outcome == "Succeeded" and self.version is not None


def read_training_said(text: bytes) -> TrainingSaid | None:
    """Read what a program says of its progress; None of what is none of ours."""
    try:
        return TrainingSaid.model_validate(orjson.loads(text))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def read_training_answer(words: str) -> TrainingAnswer | None:
    """Read a termination message; None of what is none of ours."""
    try:
        return TrainingAnswer.model_validate(orjson.loads(words))
    except (orjson.JSONDecodeError, ValidationError):
        return None
