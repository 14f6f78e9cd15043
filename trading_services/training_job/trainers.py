"""What a trainer is: it fits in chunks, from a state to the next, and writes models for serving."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trading_services.model_training.trainer import Matrix
from trading_services.training_job.boosting import read_boosting
from trading_services.training_job.errors import PermanentError

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Sheet:
    """Samples to fit or to score: `rows` of `features` (m x k, in time order), and their labels.

    `features` has all samples, for what looks back; `symbols` says whose each one is.
    """

    feature_names: tuple[str, ...]
    features: Matrix
    symbols: npt.NDArray[np.str_]
    rows: Indices
    labels: npt.NDArray[np.bool_]

    def windows(self, length: int) -> Matrix:
        """Return for each of `rows` the features of its symbol's last samples, n x length x k.

        Before a symbol's first sample stands the first one.
        """
        places = np.zeros((len(self.symbols), length), dtype=np.intp)
        for symbol in np.unique(self.symbols):
            own = np.flatnonzero(self.symbols == symbol)
            back = np.arange(len(own))[:, None] - np.arange(length - 1, -1, -1)[None, :]
            places[own] = own[np.maximum(back, 0)]
        return self.features[places[self.rows]]


class Trainer(Protocol):
    """Fits a model; the same sheet and settings always give the same bytes, wherever it is cut."""

    @property
    def format(self) -> str:
        """The format of its files, as the strategy knows it."""

    @property
    def suffix(self) -> str:
        """The end of its files' names."""

    @property
    def can_use_devices(self) -> bool:
        """Whether it works on a GPU where there is one."""

    @property
    def device(self) -> str:
        """What it works on here: cpu, cuda."""

    @property
    def chunks(self) -> int:
        """How many chunks make a model."""

    def describe(self) -> list[object]:
        """Return everything that, with the data, decides the model's bytes."""

    def train_chunk(self, sheet: Sheet, state: bytes, chunk: int) -> bytes:
        """Return the state after one more chunk; b"" is the state before the first."""

    def score(self, state: bytes, sheet: Sheet) -> Matrix:
        """Return the probability of a rise for each row."""

    def export(self, state: bytes, feature_names: tuple[str, ...]) -> bytes:
        """Return the file that is served."""


def read_trainer(name: str, hyperparameters: Mapping[str, str], seed: int) -> Trainer:
    """Return the trainer of a job; raises PermanentError for settings that make no sense."""
    if name == "LightGBM":
        return read_boosting(hyperparameters, seed)
    if name == "Sequence":
        from trading_services.training_job.sequence import read_sequence  # torch is large

        return read_sequence(hyperparameters, seed)
    raise PermanentError("UnknownTrainer", f"trainer: there is no {name}; set LightGBM or Sequence")
