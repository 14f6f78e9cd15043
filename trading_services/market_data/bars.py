"""Bars: one symbol's prices and volume over one span of time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

TIMEFRAMES = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `timestamp` is its start (UTC), prices in the quote currency."""

    symbol: str
    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    timeframe: str
    source: str


def find_fault(bar: Bar) -> str | None:
    """Return why the bar cannot be true, as a short word for a counter, or None."""
    return next((fault for fault, holds in _FAULTS.items() if holds(bar)), None)


def _is_not_finite(bar: Bar) -> bool:
    return not all(map(math.isfinite, (bar.open, bar.high, bar.low, bar.close, bar.volume)))


def _leaves_its_range(bar: Bar) -> bool:
    return bar.high < max(bar.open, bar.close) or bar.low > min(bar.open, bar.close)


# In this order: a NaN would slip through every comparison after it.
_FAULTS: dict[str, Callable[[Bar], bool]] = {
    "not_finite": _is_not_finite,
    "price_not_positive": lambda bar: min(bar.open, bar.high, bar.low, bar.close) <= 0,
    "negative_volume": lambda bar: bar.volume < 0,
    "high_below_low": lambda bar: bar.high < bar.low,
    "price_outside_range": _leaves_its_range,
    "naive_timestamp": lambda bar: bar.timestamp.tzinfo is None,
}
