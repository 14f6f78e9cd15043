"""What a training program says, as the status has it."""

from collections.abc import Iterator
from datetime import datetime

from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_status import (
    Checkpoint,
    ModelVersion,
    SelectedModel,
    TrainingAttempt,
    TrainingPhase,
    TrainingProgress,
)
from trading_operator.plan.gating import format_time
from trading_operator.plan.training.answers import TrainingAnswer, TrainingSaid
from trading_operator.plan.training.gates import first_metric
from trading_operator.plan.training.versions import build_metrics
from trading_operator.plan.types import Block

_MINUTE, _HOUR = 60, 3600
_COLUMN = 64


def build_attempts(told: TrainingAnswer | TrainingSaid) -> Iterator[TrainingAttempt]:
    """Yield the starts of the program, each number once."""
    known = {each.number: each for each in told.attempts}
    for number in sorted(known):
        yield TrainingAttempt.model_validate(known[number].model_dump())


def build_checkpoint(told: TrainingAnswer | TrainingSaid | None) -> Checkpoint | None:
    """Return the newest checkpoint that a program tells of."""
    if told is None or told.checkpoint is None:
        return None
    return Checkpoint.model_validate(told.checkpoint.model_dump())


def build_progress(said: TrainingSaid | None, now: datetime) -> TrainingProgress | None:
    """Return how far a run is."""
    if said is None:
        return None
    return TrainingProgress(
        stage=said.stage,
        step=said.step,
        steps=said.steps,
        percent=said.percent,
        remaining_seconds=said.remaining_seconds,
        metrics=build_metrics(said.metrics),
        updated_at=format_time(now),
    )


def describe_progress(
    phase: TrainingPhase, said: TrainingSaid | None, wait: Block | None
) -> str | None:
    """Return progress in a few characters."""
    if phase is TrainingPhase.WAITING and wait is not None:
        return wait.reason[:_COLUMN]
    if phase is not TrainingPhase.TRAINING or said is None:
        return None
    left = said.remaining_seconds
    told = "" if left is None else f" ({_describe_seconds(left)} left)"
    return f"{said.percent}%{told}"


def describe_score(
    spec: ModelTrainingJobSpec, version: ModelVersion | None, champion: SelectedModel | None
) -> str | None:
    """Return the newest version's first metric, and the champion's in brackets."""
    if version is None:
        return None
    name = first_metric(spec)
    own = next((each.value for each in version.metrics if each.name == name), "missing")
    other = None if champion is None or champion.id == version.id else champion.metric
    return f"{_short(own)} ({_short(other)})" if other else _short(own)


def _short(value: str) -> str:
    whole, dot, fraction = value.partition(".")
    return f"{whole}{dot}{fraction[:3]}"[:24]


def _describe_seconds(seconds: int) -> str:
    if seconds >= _HOUR:
        return f"{seconds // _HOUR}h{seconds % _HOUR // _MINUTE}m"
    return f"{seconds // _MINUTE}m" if seconds >= _MINUTE else f"{seconds}s"
