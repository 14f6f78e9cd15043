"""Bars of one series -> its features, wide (a column each) and long (a row each)."""

from collections.abc import Sequence

import polars as pl

from trading_services.feature_engineering.formulas import build_expression
from trading_services.feature_engineering.schema import Feature

BAR_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "timestamp": pl.Datetime("us", "UTC"),
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
}

# Beyond twelve digits a value is noise of the summation.
_DIGITS = 12


def compute_wide(bars: pl.DataFrame, features: Sequence[Feature]) -> pl.DataFrame:
    """Return `timestamp` and a column for each feature; null where it has no finite value.

    `bars` has BAR_SCHEMA's columns, sorted by time. Always pass a series from its first bar on:
    exponential averages remember everything.
    """
    columns = [build_expression(feature) for feature in features]
    wide = bars.select("timestamp", *columns)
    finite = [
        pl.when(pl.col(feature.name).is_finite())
        .then(pl.col(feature.name).round_sig_figs(_DIGITS))
        .alias(feature.name)
        for feature in features
    ]
    return wide.with_columns(finite)


def melt(wide: pl.DataFrame, features: Sequence[Feature]) -> pl.DataFrame:
    """Return rows of timestamp, feature_name, value, feature_group in time order, without nulls."""
    groups = {feature.name: feature.group for feature in features}
    return (
        wide.unpivot(index="timestamp", variable_name="feature_name", value_name="value")
        .drop_nulls("value")
        .with_columns(pl.col("feature_name").replace_strict(groups).alias("feature_group"))
        .sort("timestamp", "feature_name")
    )
