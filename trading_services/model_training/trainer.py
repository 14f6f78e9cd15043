"""What a trainer is: it fits labels to features and reads its own models back."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trading_services.model_training.config import Boosting

Matrix = npt.NDArray[np.float64]


class FittedModel(Protocol):
    """A model that can be written to a file and asked for probabilities."""

    @property
    def text(self) -> str:
        """The model as it is written to its file."""

    def score(self, features: Matrix) -> Matrix:
        """Return the probability of a rise for every row."""


@dataclass(frozen=True)
class TrainingTable:
    """What is fitted: `features` m x k named by `feature_names`, and m labels."""

    feature_names: tuple[str, ...]
    features: Matrix
    labels: npt.NDArray[np.bool_]


class Trainer(Protocol):
    """Fits models; the same table and settings must always give the same text."""

    def fit(self, table: TrainingTable, settings: Boosting) -> FittedModel:
        """Fit a model to the table."""

    def load(self, text: str) -> FittedModel:
        """Return the model that was written as `text`."""
