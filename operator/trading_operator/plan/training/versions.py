"""A trained version as the status has it."""

from collections.abc import Mapping

from trading_operator.api.model_training_status import (
    NUMBER_LENGTH,
    Fold,
    Metric,
    ModelVersion,
    TrainingRun,
)
from trading_operator.plan.training.answers import SaidVersion, TrainingAnswer
from trading_operator.plan.training.gates import read_number


def build_version(
    answer: TrainingAnswer, said: SaidVersion, run: TrainingRun, image: str
) -> ModelVersion:
    """Return the version that a run made."""
    device = run.launches[-1].device if run.launches else None
    return ModelVersion(
        id=said.id,
        digest=said.digest,
        file=said.file,
        format=said.format,
        run=run.number,
        trained_until=said.trained_until,
        data_digest=said.data_digest,
        code_digest=said.code_digest,
        feature_schema_hash=said.feature_schema_hash,
        image=image or None,
        device=device,
        bars=said.bars,
        metrics=build_metrics(answer.metrics),
        folds=[
            Fold(number=each.number, metrics=build_metrics(each.metrics)) for each in answer.folds
        ],
    )


def build_metrics(numbers: Mapping[str, str]) -> list[Metric]:
    """Return what a program measured, by name."""
    return [Metric(name=name, value=_shorten(value)) for name, value in sorted(numbers.items())]


def _shorten(value: str) -> str:
    """Return a number as the status has room for it; NaN for what is long and none."""
    if len(value) <= NUMBER_LENGTH:
        return value
    number = read_number(value)
    return "NaN" if number is None else f"{number:.12g}"
