"""Bars out of `stock_aggs`, as frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from trading_services.database.connection import Database
from trading_services.feature_engineering.compute import BAR_SCHEMA

SeriesKey = tuple[str, str]
"""Symbol and timeframe."""

BarRow = tuple[Any, ...]
"""Time, open, high, low, close, volume."""

_COLUMNS = "timestamp, open::float8, high::float8, low::float8, close::float8, volume::float8"


_NEWER = f"""
SELECT bars.symbol, {_COLUMNS}
FROM unnest(%s::text[], %s::timestamptz[]) AS known (symbol, last)
JOIN stock_aggs AS bars
  ON bars.symbol = known.symbol AND bars.timeframe = %s AND bars.timestamp > known.last
ORDER BY bars.timestamp
"""


@dataclass(frozen=True)
class Extent:
    """How many bars a series has in the table, and its last one's time."""

    count: int
    last: datetime


def read_extents(database: Database, timeframes: Sequence[str]) -> dict[SeriesKey, Extent]:
    """Return the extent of every series of the timeframes; reads the whole index."""
    rows = database.query(
        "SELECT symbol, timeframe, count(*), max(timestamp) FROM stock_aggs"
        " WHERE timeframe = ANY(%s) GROUP BY symbol, timeframe",
        (list(timeframes),),
    )
    return {(symbol, timeframe): Extent(count, last) for symbol, timeframe, count, last in rows}


def read_series_bars(database: Database, key: SeriesKey) -> pl.DataFrame:
    """Return all bars of a series in time order."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM stock_aggs WHERE symbol = %s AND timeframe = %s"
        " ORDER BY timestamp",
        key,
    )
    return build_frame(rows)


def read_newer_bars(
    database: Database, timeframe: str, lasts: Mapping[str, datetime]
) -> dict[str, list[BarRow]]:
    """Return each symbol's bars later than its time in `lasts`, in time order."""
    rows = database.query(_NEWER, (list(lasts), list(lasts.values()), timeframe))
    found: dict[str, list[BarRow]] = {}
    for symbol, *bar in rows:
        found.setdefault(symbol, []).append(tuple(bar))
    return found


def build_frame(rows: Sequence[BarRow]) -> pl.DataFrame:
    """Return the rows as a frame with BAR_SCHEMA's columns."""
    return pl.DataFrame(rows, schema=BAR_SCHEMA, orient="row")
