"""What is fitted in which order: folds, leakage checks, and the model that is registered."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from trading_services.model_training.dataset import Dataset
from trading_services.model_training.metrics import (
    TradingAssumptions,
    build_auc,
    build_evaluation,
)
from trading_services.model_training.trainer import Matrix
from trading_services.model_training.walk_forward import (
    Fold,
    FoldRules,
    Samples,
    TooLittleDataError,
    build_folds,
    build_holdout,
)
from trading_services.training_job.errors import PermanentError
from trading_services.training_job.job_file import JobFile
from trading_services.training_job.sheet import Indices, Sheet

NAMES = {"sharpe": "oosSharpe", "auc": "oosAuc", "logloss": "oosLogloss", "hit_rate": "oosHitRate"}


class StageKind(StrEnum):
    """What a fit is for."""

    FOLD = "Fold"
    LABEL_SHUFFLE = "LabelShuffle"
    FUTURE_SHIFT = "FutureShift"
    FINAL = "Final"


@dataclass(frozen=True)
class Stage:
    """One fit: rows to train on, and rows to judge it on."""

    kind: StageKind
    number: int
    fold: Fold

    @property
    def name(self) -> str:
        """Name the stage's results."""
        return f"{self.kind.value}-{self.number}"


@dataclass(frozen=True)
class Work:
    """The samples as each kind of stage sees them."""

    dataset: Dataset
    assumptions: TradingAssumptions
    horizon: int
    seed: int

    def training(self, stage: Stage) -> Sheet:
        """Return what a stage is fitted to."""
        return self._sheet(stage, stage.fold.train)

    def test(self, stage: Stage) -> Sheet:
        """Return what a stage is judged on."""
        return self._sheet(stage, stage.fold.test)

    def judge(self, stage: Stage, scores: Matrix) -> dict[str, float]:
        """Return the metrics of a stage's scores on the rows that it is judged on."""
        rows = stage.fold.test
        if stage.kind in (StageKind.LABEL_SHUFFLE, StageKind.FUTURE_SHIFT):
            labels = self._labels(stage.kind)[rows]
            positives = int(labels.sum())
            return {
                "auc": build_auc(scores, labels),
                "positives": float(positives),
                "negatives": float(len(labels) - positives),
            }
        return self.evaluate(rows, scores)

    def evaluate(self, rows: npt.NDArray[np.intp], scores: Matrix) -> dict[str, float]:
        """Return all metrics of scores on rows."""
        found = build_evaluation(
            scores, self.dataset.returns[rows], self.dataset.symbols[rows], self.assumptions
        ).as_dict()
        return {ours: found[theirs] for theirs, ours in NAMES.items()}

    def _sheet(self, stage: Stage, rows: Indices) -> Sheet:
        return Sheet(
            self.dataset.feature_names,
            self._features(stage.kind),
            self.dataset.symbols,
            rows,
            self._labels(stage.kind)[rows],
        )

    def _features(self, kind: StageKind) -> Matrix:
        if kind is not StageKind.FUTURE_SHIFT:
            return self.dataset.features
        return delay_features(self.dataset, self.horizon)

    def _labels(self, kind: StageKind) -> npt.NDArray[np.bool_]:
        labels = self.dataset.labels
        if kind is not StageKind.LABEL_SHUFFLE:
            return labels
        return np.random.default_rng(self.seed).permutation(labels)


def delay_features(dataset: Dataset, bars: int) -> Matrix:
    """Return features as they were `bars` bars earlier; the first ones stand for those before."""
    delayed = dataset.features.copy()
    for symbol in np.unique(dataset.symbols):
        rows = np.flatnonzero(dataset.symbols == symbol)
        sources = rows[np.maximum(np.arange(len(rows)) - bars, 0)]
        delayed[rows] = dataset.features[sources]
    return delayed


def plan_stages(job: JobFile, dataset: Dataset) -> list[Stage]:
    """Return the fits in their order; raises PermanentError when there is too little data."""
    rules = job.validation
    try:
        holdout = build_holdout(dataset.samples, rules.holdout_bars, rules.embargo_bars)
        before = _before(dataset, holdout)
        folds = build_folds(
            before, FoldRules(rules.folds, rules.embargo_bars, rules.min_train_bars)
        )
    except TooLittleDataError as error:
        raise PermanentError(
            "TooLittleData",
            f"validation: {error}; widen dataset.from and dataset.to, or lower validation.folds, "
            "minTrainBars or holdoutBars",
        ) from None
    stages = [Stage(StageKind.FOLD, at, fold) for at, fold in enumerate(folds, 1)]
    for check in (StageKind.LABEL_SHUFFLE, StageKind.FUTURE_SHIFT):
        if check.value in job.leakage_checks:
            stages += [Stage(check, at, fold) for at, fold in enumerate(folds, 1)]
    stages = [*stages, Stage(StageKind.FINAL, 1, holdout)]
    _refuse_one_sided(dataset, stages)
    return stages


def _before(dataset: Dataset, holdout: Fold) -> Samples:
    """Return the samples before the holdout: they come first, for samples are in time order."""
    count = int(np.searchsorted(dataset.samples.times, holdout.test_start, side="left"))
    return Samples(dataset.samples.times[:count], dataset.samples.label_ends[:count])


def _refuse_one_sided(dataset: Dataset, stages: Sequence[Stage]) -> None:
    for stage in stages:
        labels = dataset.labels[stage.fold.train]
        if len(labels) == 0 or labels.all() or not labels.any():
            raise PermanentError(
                "OneSidedData",
                f"dataset: {stage.name} is trained on {len(labels)} samples that all go one way; "
                "widen the range",
            )
