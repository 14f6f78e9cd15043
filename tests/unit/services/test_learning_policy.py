"""When a model is renewed and by what; decided from numbers of bars, never from the clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_services.continuous_learning.cycle import run_learning_cycle
from trading_services.continuous_learning.policy import (
    Due,
    LearningRules,
    Verdict,
    build_verdict,
    plan_drift_check,
    plan_retraining,
)

RULES = LearningRules(
    retrain_every_bars=400, check_drift_every_bars=100, holdout_bars=80, drift_threshold=0.5
)


@given(trained=st.integers(0, 5000), new=st.integers(0, 399))
def test_fewer_new_bars_than_asked_for_bring_no_training(trained: int, new: int) -> None:
    assert plan_retraining(trained, trained + new, None, RULES) is None


@given(trained=st.integers(0, 5000), new=st.integers(400, 5000))
def test_the_bars_trained_on_are_a_whole_number_of_rounds_and_all_known(
    trained: int, new: int
) -> None:
    due = plan_retraining(trained, trained + new, None, RULES)
    assert due is not None
    assert due.reason == "NewBars"
    assert (due.bars - trained) % 400 == 0
    assert trained + new - 400 < due.bars <= trained + new


def test_drift_above_the_threshold_brings_a_training_at_the_checked_bars() -> None:
    assert plan_drift_check(1000, 1099, RULES) is None
    assert plan_drift_check(1000, 1250, RULES) == 1200
    assert plan_retraining(1000, 1250, 0.6, RULES) == Due(1200, "Drift")
    assert plan_retraining(1000, 1250, 0.4, RULES) is None


def test_drift_is_not_checked_on_fewer_bars_than_the_comparison_needs() -> None:
    rules = RULES.model_copy(update={"holdout_bars": 150})
    assert plan_drift_check(1000, 1199, rules) is None
    assert plan_drift_check(1000, 1200, rules) == 1200


def test_learning_that_is_switched_off_never_retrains() -> None:
    rules = RULES.model_copy(update={"enabled": False})
    assert plan_retraining(0, 10_000, 9.0, rules) is None


@pytest.mark.parametrize(
    ("metric", "old", "new", "least", "promoted"),
    [
        ("logloss", 0.69, 0.68, 0.0, True),
        ("logloss", 0.69, 0.69, 0.0, False),
        ("logloss", 0.69, 0.70, 0.0, False),
        ("logloss", 0.69, 0.68, 0.02, False),
        ("auc", 0.51, 0.53, 0.0, True),
        ("auc", 0.53, 0.51, 0.0, False),
        ("sharpe", 0.5, float("nan"), 0.0, False),
    ],
)
def test_only_a_better_challenger_is_promoted(
    metric: str, old: float, new: float, least: float, promoted: bool
) -> None:
    rules = LearningRules.model_validate({"metric": metric, "min_improvement": least})
    verdict = build_verdict({metric: old}, {metric: new}, rules)
    assert verdict.promoted is promoted


class _Workshop:
    """A workshop of numbers: it remembers what it was asked to train."""

    def __init__(self, known: int, attempted: int, first: Due | None, drift: float = 0.0) -> None:
        self.known, self.attempted, self.first, self.drift = known, attempted, first, drift
        self.trained: list[tuple[str, Due]] = []

    def read_known_bars(self) -> int:
        return self.known

    def read_missing_champion(self) -> Due | None:
        return self.first

    def read_attempted_bars(self) -> int:
        return self.attempted

    def read_drift(self, bars: int) -> float:
        return self.drift

    def train_first(self, due: Due) -> None:
        self.trained.append(("first", due))

    def train_challenger(self, due: Due) -> Verdict:
        self.trained.append(("challenger", due))
        return Verdict(True, "auc", 0.5, 0.6)


@pytest.mark.acceptance("A22")
@pytest.mark.parametrize(
    ("workshop", "trained"),
    [
        (_Workshop(90, 0, Due(100, "FirstModel")), []),
        (_Workshop(100, 0, Due(100, "FirstModel")), [("first", Due(100, "FirstModel"))]),
        (_Workshop(499, 100, None), []),
        (_Workshop(500, 100, None), [("challenger", Due(500, "NewBars"))]),
        (_Workshop(300, 100, None, drift=0.9), [("challenger", Due(300, "Drift"))]),
    ],
)
def test_one_turn_of_the_loop_trains_what_is_due_and_nothing_else(
    workshop: _Workshop, trained: list[tuple[str, Due]]
) -> None:
    outcome = run_learning_cycle(workshop, RULES)
    assert workshop.trained == trained
    assert outcome.waiting_for == (10 if workshop.known == 90 else 0)
