"""The PyTorch trainer, on the device that is there: `make test-torch`."""

import time

import numpy as np
import pytest

from trading_services.training_job.errors import PermanentError
from trading_services.training_job.scoring import score_file
from trading_services.training_job.sequence import Sequence, find_device, read_sequence
from trading_services.training_job.sheet import Sheet

NAMES = ("a", "b", "c", "d")
SETTINGS = {"epochs": "6", "window": "8", "hidden": "12", "batch_size": "64"}


def _sheet(
    samples: int = 600, rows: "np.ndarray[tuple[int], np.dtype[np.intp]] | None" = None
) -> Sheet:
    """Samples whose label depends on the last three rows of the symbol."""
    rng = np.random.default_rng(5)
    features, symbols = rng.normal(size=(samples, 4)), np.array(["A", "B"] * (samples // 2))
    told = features[:, 0].copy()
    for back in (2, 4):
        told[back:] += features[:-back, 0]
    labels = told + rng.normal(0, 0.3, samples) > 0
    chosen = np.arange(samples) if rows is None else rows
    return Sheet(NAMES, features, symbols, chosen, labels[chosen])


def _train(trainer: Sequence, sheet: Sheet) -> bytes:
    state = b""
    for chunk in range(trainer.chunks):
        state = trainer.train_chunk(sheet, state, chunk)
    return state


def test_it_learns_what_is_in_the_window_and_the_file_scores_the_same() -> None:
    trainer = read_sequence({**SETTINGS, "epochs": "25", "learning_rate": "0.01"}, 7)
    training, test = _sheet(rows=np.arange(400)), _sheet(rows=np.arange(400, 600))
    state = _train(trainer, training)
    scores = trainer.score(state, test)
    hits = float(np.mean((scores > 0.5) == test.labels))
    served = score_file(trainer.export(state, NAMES), "onnx", test)
    assert hits > 0.75
    assert np.abs(scores - served).max() < 1e-5


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    sheet = _sheet()
    first, again = (_train(read_sequence(SETTINGS, 7), sheet) for _ in range(2))
    trainer = read_sequence(SETTINGS, 7)
    other = _train(read_sequence(SETTINGS, 8), sheet)
    assert trainer.export(first, NAMES) == trainer.export(again, NAMES)
    assert trainer.export(first, NAMES) != trainer.export(other, NAMES)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_cut_anywhere_it_ends_with_the_same_bytes(cut: int) -> None:
    """A state is bytes alone: whoever goes on has nothing else."""
    trainer, sheet = read_sequence(SETTINGS, 7), _sheet()
    wanted = trainer.export(_train(trainer, sheet), NAMES)
    state = b""
    for chunk in range(cut):
        state = trainer.train_chunk(sheet, state, chunk)
    saved, later = bytes(bytearray(state)), read_sequence(SETTINGS, 7)
    np.random.default_rng().normal(size=100)
    for chunk in range(cut, later.chunks):
        saved = later.train_chunk(sheet, saved, chunk)
    assert later.export(saved, NAMES) == wanted


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"epochs": "0"}, "epochs"), ({"window": "1.5"}, "window"), ({"rounds": "3"}, "rounds"),
     ({"learning_rate": "fast"}, "learning_rate")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_named(settings: dict[str, str], field: str) -> None:
    with pytest.raises(PermanentError) as refused:
        read_sequence(settings, 7)
    assert f"hyperparameters.{field}" in refused.value.message


def test_it_says_how_fast_it_is_on_this_device() -> None:
    trainer, sheet = read_sequence({**SETTINGS, "epochs": "3"}, 7), _sheet(20_000)
    began = time.monotonic()
    _train(trainer, sheet)
    speed = 3 * 20_000 / (time.monotonic() - began)
    print(f"{speed:,.0f} samples a second on {find_device()}")  # noqa: T201
    assert speed > 0
