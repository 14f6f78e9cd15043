"""Features: each is what its formula says, and none sees the future."""

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from statistics import fmean, stdev

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_services.feature_engineering.compute import BAR_SCHEMA, compute_wide, melt
from trading_services.feature_engineering.schema import (
    FeatureConfig,
    FeatureGroups,
    ReturnsGroup,
    build_features,
    feature_names,
    feature_schema_hash,
)
from trading_services.market_data.recorded import read_series

CONFIG = FeatureConfig()
FEATURES = build_features(CONFIG)


@cache
def bars(symbol: str = "AAPL", timeframe: str = "1d") -> pl.DataFrame:
    """A recorded series as a frame."""
    rows = [[getattr(bar, name) for name in BAR_SCHEMA] for bar in read_series(symbol, timeframe)]
    return pl.DataFrame(rows, schema=BAR_SCHEMA, orient="row")


def _log_returns(closes: list[float]) -> list[float]:
    return [math.log(now / before) for before, now in pairwise(closes)]


def _ema(closes: list[float], span: int) -> float:
    value = closes[0]
    for close in closes[1:]:
        value += (close - value) * 2 / (span + 1)
    return value


def _rsi(closes: list[float], window: int) -> float:
    changes = [now - before for before, now in pairwise(closes)]
    gain, loss = max(changes[0], 0), max(-changes[0], 0)
    for change in changes[1:]:
        gain += (max(change, 0) - gain) / window
        loss += (max(-change, 0) - loss) / window
    return 100 * gain / (gain + loss)


# Written a second time from the definitions, on plain lists that end at the bar in question.
REFERENCE: dict[str, Callable[[list[float]], float]] = {
    "return_5": lambda closes: closes[-1] / closes[-6] - 1,
    "sma_ratio_10": lambda closes: closes[-1] / fmean(closes[-10:]) - 1,
    "ema_ratio_12": lambda closes: closes[-1] / _ema(closes, 12) - 1,
    "rsi_14": lambda closes: _rsi(closes, 14),
    "volatility_20": lambda closes: stdev(_log_returns(closes[-21:])),
    "momentum_60": lambda closes: (
        (closes[-1] / closes[-61] - 1) / stdev(_log_returns(closes[-61:]))
    ),
}


@pytest.mark.acceptance("A03", "A16")
@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_a_feature_is_what_its_formula_says(name: str) -> None:
    wide = compute_wide(bars(), FEATURES)
    closes = bars().get_column("close").to_list()

    for row in (60, 100, 1000, 3269):
        assert wide.item(row, name) == pytest.approx(REFERENCE[name](closes[: row + 1]), rel=1e-9)


def test_volume_and_range_features_are_what_their_formulas_say() -> None:
    wide = compute_wide(bars(), FEATURES)
    volume = bars().get_column("volume").to_list()
    spans = [high / low - 1 for high, low in bars().select("high", "low").iter_rows()]

    change = math.log((volume[700] + 1) / (volume[695] + 1))
    assert wide.item(700, "log_volume_change_5") == pytest.approx(change)
    assert wide.item(700, "range_10") == pytest.approx(fmean(spans[691:701]))


def test_calendar_features_are_those_of_new_york() -> None:
    wide = compute_wide(bars("EURUSD", "1h"), FEATURES)

    # The record starts on Sunday, 1 January 2017, at 17:00 in New York.
    assert wide.item(0, "calendar_day_of_week") == 7
    assert wide.item(0, "calendar_month") == 1


@settings(max_examples=25, deadline=None)
@given(
    row=st.integers(min_value=0, max_value=3268),
    factor=st.floats(min_value=0.01, max_value=100),
    seed=st.integers(min_value=0, max_value=2**31),
)
def test_no_feature_changes_when_the_future_does(row: int, factor: float, seed: int) -> None:
    known, future = bars().head(row + 1), bars().tail(-row - 1)
    other = future.with_columns(
        *(
            (pl.col(name).shuffle(seed) * factor).alias(name)
            for name in BAR_SCHEMA
            if name != "timestamp"
        )
    )

    honest = compute_wide(bars(), FEATURES).head(row + 1)

    assert compute_wide(pl.concat([known, other]), FEATURES).head(row + 1).equals(honest)
    assert compute_wide(known, FEATURES).equals(honest)


def test_the_check_above_finds_a_feature_that_looks_ahead() -> None:
    ahead = bars().select(pl.col("close").shift(-1) / pl.col("close") - 1)
    cut = bars().head(100).select(pl.col("close").shift(-1) / pl.col("close") - 1)

    assert not cut.equals(ahead.head(100))


def test_a_feature_is_absent_until_its_window_is_full() -> None:
    wide = compute_wide(bars(), FEATURES)
    nulls = {name: wide.get_column(name).null_count() for name in feature_names(CONFIG)}

    assert nulls["return_20"] == 20
    assert nulls["sma_ratio_50"] == 49
    assert nulls["momentum_60"] == 60
    assert nulls["calendar_month"] == 0


def test_a_price_that_stands_still_gives_finite_values_or_none() -> None:
    flat = (
        bars()
        .head(80)
        .with_columns(
            *(pl.lit(5.0).alias(name) for name in ("open", "high", "low", "close")),
            pl.lit(0.0).alias("volume"),
        )
    )

    last = compute_wide(flat, FEATURES).tail(1).to_dicts()[0]

    assert last["rsi_14"] == 50
    assert last["momentum_20"] is None
    assert last["volatility_10"] == 0
    assert last["log_volume_change_1"] == 0


def test_long_rows_are_in_time_order_without_nulls() -> None:
    long = melt(compute_wide(bars().head(100), FEATURES), FEATURES)

    assert long.null_count().row(0) == (0, 0, 0, 0)
    assert long.get_column("timestamp").is_sorted()
    assert set(long.get_column("feature_name")) == set(feature_names(CONFIG))
    assert dict(long.select("feature_name", "feature_group").unique().iter_rows())["rsi_14"] == (
        "oscillator"
    )


def test_the_digest_tells_feature_sets_apart_and_ignores_order() -> None:
    other = FeatureConfig(groups=FeatureGroups(returns=ReturnsGroup(periods=(1, 2))))
    reordered = FeatureConfig(
        groups=FeatureGroups(returns=ReturnsGroup(periods=(20, 10, 5, 2, 1, 1)))
    )

    assert feature_schema_hash(other) != feature_schema_hash(CONFIG)
    assert feature_schema_hash(reordered) == feature_schema_hash(CONFIG)


def test_the_digest_of_the_default_features_is_stable() -> None:
    # A change here refuses every model trained before: raise the formula version on purpose.
    assert feature_schema_hash(CONFIG) == (
        "5fb030428840e16f9f1eaf15e6e58400ce631893fdd7bcb4218ba6c301931edd"
    )
