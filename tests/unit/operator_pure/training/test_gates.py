"""Gates: what passes, and that nothing passes for want of a value."""

from typing import Any

import pytest

from trading_operator.plan.training.gates import judge
from unit.operator_pure.training.worlds import make_answer, make_training

RELATIVE = {"metric": "oosSharpe", "op": ">=", "relativeTo": "Champion"}


def _judge(gate: dict[str, Any], champion: str = "", **answer: Any) -> tuple[bool, str]:
    found = judge(make_training(gates=[gate], leakageChecks=[]), make_answer(**answer), champion)
    (result,) = found
    return result.passed, result.message or ""


@pytest.mark.parametrize(
    ("op", "bound", "passes"),
    [(">=", "0.7", True), (">", "0.7", False), ("<=", "0.7", True), ("<", "0.7", False),
     (">=", "0.700000001", False), ("<", "0.700000001", True)],
)  # fmt: skip
def test_a_gate_compares_exactly(op: str, bound: str, passes: bool) -> None:
    assert _judge({"metric": "oosSharpe", "op": op, "value": bound})[0] is passes


@pytest.mark.parametrize(
    "told", ["NaN", "Infinity", "-inf", "", "much", "1e999999999", "1_0", None]
)
def test_what_is_no_number_lets_nothing_pass(told: str | None) -> None:
    metrics = {} if told is None else {"oosSharpe": told}
    for op in (">=", "<="):
        gate = {"metric": "oosSharpe", "op": op, "value": "0"}
        passed, message = _judge(gate, metrics=metrics)
        assert not passed
        assert "oosSharpe is" in message


def test_a_challenger_must_beat_the_champion_on_the_same_bars_by_the_margin() -> None:
    compared = {
        "championId": "v0",
        "champion": {"oosSharpe": "0.5"},
        "challenger": {"oosSharpe": "0.55"},
    }
    assert _judge(RELATIVE, comparison=compared)[0]
    assert not _judge({**RELATIVE, "margin": "0.06"}, comparison=compared)[0]
    # Not the mean over the folds, which is of other bars.
    worse = {**compared, "challenger": {"oosSharpe": "0.4"}}
    assert not _judge(RELATIVE, comparison=worse)[0]


def test_without_a_champion_it_passes_and_with_one_that_cannot_be_compared_it_does_not() -> None:
    assert _judge(RELATIVE) == (True, "there is no champion to be compared with")
    seen = {"unavailable": "the champion has seen the holdout; train to a later dataset.to"}
    assert _judge(RELATIVE, comparison=seen) == (False, seen["unavailable"])
    for broken in ({}, {"oosSharpe": "NaN"}, {"oosSharpe": "1e99999999"}):
        told = {"champion": broken, "challenger": {"oosSharpe": "9"}}
        assert not _judge(RELATIVE, comparison=told)[0]
    missing = {"champion": {"oosSharpe": "0.1"}, "challenger": {}}
    assert not _judge(RELATIVE, comparison=missing)[0]


def test_a_program_is_not_believed_that_nothing_is_traded_nor_a_comparison_with_another() -> None:
    better = {"champion": {"oosSharpe": "0.1"}, "challenger": {"oosSharpe": "9"}}
    assert _judge(RELATIVE, "v0", comparison={**better, "championId": "v0"})[0]
    for told, words in (
        (None, "compared with nothing"),
        (better, "compared with no version it names"),
        ({**better, "championId": "v-1"}, "compared with v-1"),
    ):
        passed, message = _judge(RELATIVE, "v0", comparison=told)
        assert not passed
        assert message.startswith("v0 is traded now")
        assert words in message
    seen = {"unavailable": "the champion has seen the holdout; train to a later dataset.to"}
    assert _judge(RELATIVE, "v0", comparison=seen) == (False, seen["unavailable"])


def test_a_leakage_check_that_was_not_made_fails() -> None:
    found = judge(make_training(), make_answer(leakage=[]))
    assert [(each.name, each.passed) for each in found] == [
        ("LabelShuffle", False),
        ("FutureShift", False),
    ]
