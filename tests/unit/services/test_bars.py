"""Bars that cannot be true are refused, each for a reason that can be counted."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from trading_services.market_data.bars import Bar, find_fault

GOOD = Bar("AAPL", datetime(2012, 1, 3, 5, tzinfo=UTC), 10, 12, 9, 11, 1000, "1d", "test")


def test_a_sound_bar_has_no_fault() -> None:
    assert find_fault(GOOD) is None


def test_a_bar_without_trades_is_sound() -> None:
    assert find_fault(replace(GOOD, open=10, high=10, low=10, close=10, volume=0)) is None


@pytest.mark.acceptance("A02")
@pytest.mark.parametrize(
    ("bar", "fault"),
    [
        (replace(GOOD, close=math.nan), "not_finite"),
        (replace(GOOD, volume=math.inf), "not_finite"),
        (replace(GOOD, low=0), "price_not_positive"),
        (replace(GOOD, low=-1), "price_not_positive"),
        (replace(GOOD, volume=-1), "negative_volume"),
        (replace(GOOD, high=8), "high_below_low"),
        (replace(GOOD, close=13), "price_outside_range"),
        (replace(GOOD, open=8.5), "price_outside_range"),
        (replace(GOOD, timestamp=datetime(2012, 1, 3)), "naive_timestamp"),  # noqa: DTZ001
    ],
)
def test_an_impossible_bar_is_named(bar: Bar, fault: str) -> None:
    assert find_fault(bar) == fault
