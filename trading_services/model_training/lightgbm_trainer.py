"""The LightGBM trainer: small trees on the CPU, the same bytes at every run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trading_services.model_training.config import Boosting
from trading_services.model_training.trainer import FittedModel, Matrix, TrainingTable

if TYPE_CHECKING:
    import lightgbm

# These win over the configured parameters: without them two runs could differ.
REPEATABLE = {
    "objective": "binary",
    "deterministic": True,
    "force_col_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True)
class LightGBMModel:
    """A fitted booster and its text."""

    booster: "lightgbm.Booster"
    text: str

    def score(self, features: Matrix) -> Matrix:
        """Return the probability of a rise for every row."""
        return np.asarray(self.booster.predict(features, num_threads=1), dtype=np.float64)


class LightGBMTrainer:
    """Fits gradient-boosted trees to the direction of the next return."""

    def __init__(self, beat: Callable[[], None] = lambda: None) -> None:
        """Call `beat` at every fit and after every tree: a long training is not a dead one."""
        self._beat = beat

    def fit(self, table: TrainingTable, settings: Boosting) -> FittedModel:
        """Fit a model to the table."""
        import lightgbm  # native code and scipy: loaded when training starts, not before

        self._beat()
        data = lightgbm.Dataset(
            table.features,
            label=table.labels.astype(np.float64),
            feature_name=list(table.feature_names),
            params={"verbosity": -1},
        )
        parameters = {**settings.parameters, "seed": settings.seed, **REPEATABLE}
        booster = lightgbm.train(
            parameters,
            data,
            num_boost_round=settings.rounds,
            callbacks=[lambda _: self._beat()],
        )
        return LightGBMModel(booster, booster.model_to_string())

    def load(self, text: str) -> FittedModel:
        """Return the model that was written as `text`."""
        import lightgbm

        return LightGBMModel(lightgbm.Booster(model_str=text), text)
