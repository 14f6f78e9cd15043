"""The metrics, against definitions written the slow way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_services.continuous_learning.drift import build_drift, build_stability_index
from trading_services.model_training.metrics import (
    TradingAssumptions,
    build_auc,
    build_logloss,
    build_sharpe,
)

SCORES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=2, max_size=40
)


@given(SCORES)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[float, bool]]) -> None:
    rises = [score for score, label in rows if label]
    falls = [score for score, label in rows if not label]
    pairs = [(a > b) + 0.5 * (a == b) for a in rises for b in falls]
    expected = sum(pairs) / len(pairs) if pairs else 0.5
    scores, labels = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    assert build_auc(scores, labels) == pytest.approx(expected)


@given(SCORES)
def test_logloss_is_the_mean_negative_log_likelihood(rows: list[tuple[float, bool]]) -> None:
    expected = -sum(math.log(s if label else 1 - s) for s, label in rows) / len(rows)
    scores, labels = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    assert build_logloss(scores, labels) == pytest.approx(expected)


def test_costs_are_charged_for_every_change_of_position_and_symbols_are_kept_apart() -> None:
    scores = np.array([0.9, 0.9, 0.9, 0.1])
    returns = np.array([0.02, 0.01, 0.03, -0.02])
    symbols = np.array(["A", "B", "A", "B"])
    # A holds +1 twice (one change), B turns from +1 to -1 (one change, then two at once).
    profits = np.array([0.02 - 0.001, 0.03, 0.01 - 0.001, 0.02 - 0.002])
    expected = profits.mean() / profits.std() * math.sqrt(252)
    found = build_sharpe(scores, returns, symbols, TradingAssumptions(0.1, 10.0, 252))
    assert found == pytest.approx(expected)


def test_a_model_that_never_trades_has_a_sharpe_ratio_of_zero() -> None:
    flat = np.full(5, 0.5)
    symbols = np.full(5, "A")
    assert build_sharpe(flat, np.ones(5), symbols, TradingAssumptions(0.1, 1.0, 252)) == 0.0


def test_drift_is_near_zero_for_the_same_distribution_and_large_for_a_moved_one() -> None:
    source = np.random.default_rng(1)
    before, same, moved = (source.normal(size=(2000, 2)) for _ in range(3))
    assert build_drift(before, same) < 0.02
    assert build_drift(before, moved + 1.5) > 0.5


def test_a_constant_feature_has_no_drift_and_a_new_value_of_it_has() -> None:
    constant = np.ones(100)
    assert build_stability_index(constant, constant) == pytest.approx(0.0)
    assert build_stability_index(constant, constant - 1) > 1
