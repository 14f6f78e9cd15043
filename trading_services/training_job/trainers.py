"""What a trainer is: it fits in chunks, from a state to the next, and writes models for serving."""

from collections.abc import Mapping
from typing import Protocol

from trading_services.model_training.trainer import Matrix
from trading_services.training_job.boosting import read_boosting
from trading_services.training_job.errors import PermanentError
from trading_services.training_job.sheet import Sheet


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
