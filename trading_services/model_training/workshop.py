"""The workshop: reads data, trains, writes the file, then registers, in that order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trading_services.continuous_learning.drift import build_drift
from trading_services.continuous_learning.policy import Due, Verdict
from trading_services.database.connection import Database
from trading_services.model_training.dataset import Dataset, build_dataset
from trading_services.model_training.history_reader import read_histories, read_known_bars
from trading_services.model_training.model_files import build_file_digest, write_model_file
from trading_services.model_training.registry import (
    ACTIVE,
    REJECTED,
    NewModel,
    RegisteredModel,
    read_active,
    read_attempted_bars,
    write_model,
)
from trading_services.model_training.training import (
    Candidate,
    Recipe,
    build_hyperparameters,
    train_challenger,
    train_first,
)
from trading_services.model_training.walk_forward import to_moment


@dataclass(frozen=True)
class FeatureSchema:
    """The names of the features, in column order, and the digest of how they are computed."""

    names: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Workshop:
    """Trains one model of the configuration; `on_registered` hears of each one registered."""

    database: Database
    recipe: Recipe
    schema: FeatureSchema
    models_dir: Path
    on_registered: Callable[[NewModel], None]
    # Bars never change once they are stored, so one measurement a pair of bar counts is enough.
    drifts: dict[tuple[int, int], float] = field(default_factory=dict)

    def read_known_bars(self) -> int:
        """Return how many bars every symbol has with all its features."""
        return read_known_bars(self.database, self.recipe.spec, self.schema.names)

    def read_missing_champion(self) -> Due | None:
        """Return the training that must come first: there is no champion, or it is unusable."""
        champion = self._read_champion()
        if champion is None:
            return Due(self.recipe.spec.initial_bars, "FirstModel")
        if champion.feature_schema_hash != self.schema.digest:
            return Due(champion.bars, "FeatureSchemaChanged")
        if read_model_text(champion) is None:
            return Due(champion.bars, "ModelFileLost")
        return None

    def read_attempted_bars(self) -> int:
        """Return the bars of the newest training, whatever became of it."""
        spec = self.recipe.spec
        return read_attempted_bars(self.database, spec.model_type, spec.timeframe)

    def read_drift(self, bars: int) -> float:
        """Return how far the bars from the newest training to `bars` moved from those before."""
        span = (self.read_attempted_bars(), bars)
        if span not in self.drifts:
            self.drifts[span] = self._measure_drift(*span)
        return self.drifts[span]

    def train_first(self, due: Due) -> None:
        """Train and register the first champion."""
        dataset = self._read_dataset(due)
        self._register(due, dataset, train_first(self.recipe, dataset))

    def train_challenger(self, due: Due) -> Verdict:
        """Train a challenger, register it, and promote it if it is better."""
        champion = self._read_champion()
        text = read_model_text(champion) if champion else None
        if text is None:
            raise LookupError("the champion's file vanished; the next turn trains it again")
        dataset = self._read_dataset(due)
        candidate = train_challenger(self.recipe, dataset, self.recipe.trainer.load(text))
        if candidate.verdict is None:
            raise TypeError("a challenger always comes with a verdict")
        self._register(due, dataset, candidate)
        return candidate.verdict

    def _measure_drift(self, trained: int, bars: int) -> float:
        histories = read_histories(self.database, self.recipe.spec, self.schema.names, bars)
        before = np.concatenate([history.features[:trained] for history in histories])
        after = np.concatenate([history.features[trained:] for history in histories])
        return build_drift(before, after)

    def _read_champion(self) -> RegisteredModel | None:
        spec = self.recipe.spec
        return read_active(self.database, spec.model_type, spec.timeframe)

    def _read_dataset(self, due: Due) -> Dataset:
        names = self.schema.names
        histories = read_histories(self.database, self.recipe.spec, names, due.bars)
        return build_dataset(histories, names, self.recipe.config.horizon_bars)

    def _register(self, due: Due, dataset: Dataset, candidate: Candidate) -> None:
        path, digest = write_model_file(self.models_dir, candidate.model.text)
        model = build_new_model(
            self, due, dataset, candidate, ModelFile(path, digest, len(candidate.model.text))
        )
        # A crash before this line leaves a file that the next training writes again unchanged.
        write_model(self.database, model)
        self.on_registered(model)


@dataclass(frozen=True)
class ModelFile:
    """A written model file."""

    path: Path
    digest: str
    size: int


def build_new_model(
    workshop: Workshop, due: Due, dataset: Dataset, candidate: Candidate, file: ModelFile
) -> NewModel:
    """Return the registry row of a trained candidate; active unless its verdict refused it."""
    spec, verdict = workshop.recipe.spec, candidate.verdict
    status = ACTIVE if verdict is None or verdict.promoted else REJECTED
    compared = _build_comparison(verdict)
    return NewModel(
        model_id=f"{spec.model_type}-{spec.timeframe}-{due.bars}-{file.digest[:12]}",
        model_type=spec.model_type,
        timeframe=spec.timeframe,
        status=status,
        file_path=str(file.path),
        metrics={
            "file_sha256": file.digest,
            "file_bytes": file.size,
            "feature_schema_hash": workshop.schema.digest,
            "data": _build_data_facts(workshop, due, dataset, candidate),
            "folds": [fold.as_dict() for fold in candidate.folds],
            "mean": candidate.summary,
            "comparison": compared,
        },
        hyperparameters=build_hyperparameters(workshop.recipe, dataset.digest),
        features_used=dataset.feature_names,
        note={"event": "Registered", "reason": due.reason, "comparison": compared},
    )


def read_model_text(model: RegisteredModel) -> str | None:
    """Return the model file's text, or None if it is missing or not what was registered."""
    try:
        content = Path(model.file_path).read_bytes()
    except OSError:
        return None
    return content.decode() if build_file_digest(content) == model.file_digest else None


def _build_data_facts(
    workshop: Workshop, due: Due, dataset: Dataset, candidate: Candidate
) -> dict[str, Any]:
    return {
        "digest": dataset.digest,
        "bars": due.bars,
        "samples": len(dataset.returns),
        "train_samples": candidate.train_samples,
        "usable_after": to_moment(dataset.last_bar).isoformat(),
        "symbols": list(workshop.recipe.spec.symbols),
    }


def _build_comparison(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "metric": verdict.metric,
        "champion": verdict.champion,
        "challenger": verdict.challenger,
        "promoted": verdict.promoted,
    }
