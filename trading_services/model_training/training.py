"""Training as pure functions of the data and the settings: fit, judge out of sample, compare."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trading_services.continuous_learning.policy import Verdict, build_verdict
from trading_services.model_training.config import ModelConfig, ModelSpec
from trading_services.model_training.dataset import Dataset
from trading_services.model_training.metrics import (
    Evaluation,
    TradingAssumptions,
    build_evaluation,
)
from trading_services.model_training.trainer import FittedModel, Trainer, TrainingTable
from trading_services.model_training.walk_forward import (
    Fold,
    FoldRules,
    Indices,
    build_folds,
    build_holdout,
)


@dataclass(frozen=True)
class FoldResult:
    """The out-of-sample metrics of one fold and where it was tested."""

    train_samples: int
    test_start: np.datetime64
    test_end: np.datetime64
    evaluation: Evaluation

    def as_dict(self) -> dict[str, object]:
        """Return the result ready for JSON."""
        return {
            "train_samples": self.train_samples,
            "test_start": f"{self.test_start}Z",
            "test_end": f"{self.test_end}Z",
            **self.evaluation.as_dict(),
        }


@dataclass(frozen=True)
class Candidate:
    """A trained model with what it scored on bars that it had not seen."""

    model: FittedModel
    folds: tuple[FoldResult, ...]
    train_samples: int
    verdict: Verdict | None = None

    @property
    def summary(self) -> dict[str, float]:
        """The mean of every metric over the folds."""
        rows = [fold.evaluation.as_dict() for fold in self.folds]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


@dataclass(frozen=True)
class Recipe:
    """How to train: the trainer, the file's settings, and which of its models."""

    trainer: Trainer
    config: ModelConfig
    spec: ModelSpec

    @property
    def fold_rules(self) -> FoldRules:
        """The walk-forward scheme."""
        validation = self.config.validation
        return FoldRules(validation.folds, validation.embargo_bars, validation.min_train_bars)

    @property
    def assumptions(self) -> TradingAssumptions:
        """How scores are traded when they are judged."""
        given = self.spec.assumptions
        return TradingAssumptions(given.entry_strength, given.cost_bps, self.spec.bars_per_year)


def train_first(recipe: Recipe, dataset: Dataset) -> Candidate:
    """Judge by walk-forward folds, then fit on all samples; raises TooLittleDataError."""
    folds = evaluate_folds(recipe, dataset)
    everything = np.arange(len(dataset.returns))
    return Candidate(_fit(recipe, dataset, everything), folds, len(everything))


def train_challenger(recipe: Recipe, dataset: Dataset, champion: FittedModel) -> Candidate:
    """Fit on all but the newest bars and compare with the champion on those.

    The champion must not have been trained on the last `holdout_bars` bars of the data set.
    """
    holdout = build_holdout(
        dataset.samples,
        recipe.config.learning.holdout_bars,
        recipe.config.validation.embargo_bars,
    )
    challenger = _fit(recipe, dataset, holdout.train)
    verdict = build_verdict(
        _judge(recipe, dataset, champion, holdout).as_dict(),
        _judge(recipe, dataset, challenger, holdout).as_dict(),
        recipe.config.learning,
    )
    return Candidate(challenger, evaluate_folds(recipe, dataset), len(holdout.train), verdict)


def evaluate_folds(recipe: Recipe, dataset: Dataset) -> tuple[FoldResult, ...]:
    """Train and judge one model a fold, each only on bars after those it was trained on."""
    return tuple(
        FoldResult(
            train_samples=len(fold.train),
            test_start=fold.test_start,
            test_end=fold.test_end,
            evaluation=_judge(recipe, dataset, _fit(recipe, dataset, fold.train), fold),
        )
        for fold in build_folds(dataset.samples, recipe.fold_rules)
    )


def build_hyperparameters(recipe: Recipe, data_digest: str) -> Mapping[str, object]:
    """Return everything that, with the data, decides the model's bytes."""
    return {
        "trainer": recipe.config.trainer,
        "boosting": recipe.config.boosting.model_dump(),
        "horizon_bars": recipe.config.horizon_bars,
        "validation": recipe.config.validation.model_dump(),
        "assumptions": recipe.spec.assumptions.model_dump(),
        "symbols": list(recipe.spec.symbols),
        "data_digest": data_digest,
    }


def _fit(recipe: Recipe, dataset: Dataset, rows: Indices) -> FittedModel:
    table = TrainingTable(dataset.feature_names, dataset.features[rows], dataset.labels[rows])
    return recipe.trainer.fit(table, recipe.config.boosting)


def _judge(recipe: Recipe, dataset: Dataset, model: FittedModel, fold: Fold) -> Evaluation:
    rows = fold.test
    return build_evaluation(
        model.score(dataset.features[rows]),
        dataset.returns[rows],
        dataset.symbols[rows],
        recipe.assumptions,
    )
