"""ONNX files of recurrent models: what is written is what is scored, in training and in trading."""

import json
from typing import Any

import numpy as np
import pytest

from trading_services.trading_strategy.onnx_model import build_onnx_model
from trading_services.trading_strategy.tree_model import ModelFormatError
from trading_services.training_job.onnx_file import Network, Weights, build_onnx
from trading_services.training_job.scoring import UnknownFormatError, score_file
from trading_services.training_job.sheet import Sheet

NAMES = ("a", "b", "c")
HIDDEN, WINDOW = 5, 4


def _network(seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Weights:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    width = len(NAMES)
    return Network(
        mean=draw(width),
        scale=(np.abs(draw(width)) + 0.5).astype(np.float32),
        input_weights=draw(3 * HIDDEN, width),
        state_weights=draw(3 * HIDDEN, HIDDEN),
        input_bias=draw(3 * HIDDEN),
        state_bias=draw(3 * HIDDEN),
        head_weights=draw(1, HIDDEN),
        head_bias=draw(1),
    )


def _sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-value))


def _forward(network: Network, window: Any) -> float:
    """Score one window as PyTorch's documentation writes a GRU."""
    state = np.zeros(HIDDEN)
    for row in (np.asarray(window) - network.mean) / network.scale:
        given = np.split(network.input_weights @ row + network.input_bias, 3)
        kept = np.split(network.state_weights @ state + network.state_bias, 3)
        reset, update = _sigmoid(given[0] + kept[0]), _sigmoid(given[1] + kept[1])
        new = np.tanh(given[2] + reset * kept[2])
        state = (1 - update) * new + update * state
    return float(_sigmoid(network.head_weights @ state + network.head_bias)[0])


def test_the_strategy_scores_a_window_as_the_network_is_defined() -> None:
    network = _network()
    model = build_onnx_model(build_onnx(network, WINDOW, NAMES))
    rows = np.random.default_rng(2).normal(size=(20, 3))
    assert (model.window, model.feature_names) == (WINDOW, NAMES)
    for end in range(WINDOW, 21):
        wanted = _forward(network, rows[end - WINDOW : end])
        assert model.score(rows[:end].tolist()) == pytest.approx(wanted, abs=1e-6)


def test_before_the_first_row_stands_the_first_one() -> None:
    network = _network()
    model = build_onnx_model(build_onnx(network, WINDOW, NAMES))
    rows = [[0.1, -0.2, 0.3], [1.0, 0.0, -1.0]]
    wanted = _forward(network, [rows[0], rows[0], rows[0], rows[1]])
    assert model.score(rows) == pytest.approx(wanted, abs=1e-6)


def test_training_scores_every_row_as_the_strategy_will() -> None:
    content = build_onnx(_network(), WINDOW, NAMES)
    model = build_onnx_model(content)
    rng = np.random.default_rng(3)
    features, symbols = rng.normal(size=(30, 3)), np.array(["A", "B"] * 15)
    rows = np.arange(6, 30)
    sheet = Sheet(NAMES, features, symbols, rows, np.zeros(len(rows), dtype=bool))
    scores = score_file(content, "onnx", sheet)
    for row, score in zip(rows, scores, strict=True):
        own = [features[at].tolist() for at in range(row + 1) if symbols[at] == symbols[row]]
        assert model.score(own) == pytest.approx(float(score), abs=1e-6)


def test_the_same_weights_are_the_same_bytes() -> None:
    assert build_onnx(_network(), WINDOW, NAMES) == build_onnx(_network(), WINDOW, NAMES)
    assert build_onnx(_network(), WINDOW, NAMES) != build_onnx(_network(2), WINDOW, NAMES)


@pytest.mark.parametrize("damage", ["cut", "text", "metadata"])
def test_a_file_that_is_none_of_ours_is_refused(damage: str) -> None:
    content = build_onnx(_network(), WINDOW, NAMES)
    broken = {
        "cut": content[: len(content) // 2],
        "text": json.dumps({"no": "model"}).encode(),
        "metadata": content.replace(b"window", b"winter"),
    }
    with pytest.raises(ModelFormatError, match="ONNX file"):
        build_onnx_model(broken[damage])


def test_a_format_that_nobody_knows_says_so() -> None:
    sheet = Sheet(NAMES, np.zeros((1, 3)), np.array(["A"]), np.array([0]), np.array([True]))
    with pytest.raises(UnknownFormatError, match="pickle"):
        score_file(b"", "pickle", sheet)
