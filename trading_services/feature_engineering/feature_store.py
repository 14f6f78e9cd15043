"""Rows of `features`: how far they reach, and writes that may be repeated."""

from collections.abc import Callable, Iterator
from datetime import datetime

import polars as pl
from psycopg2.extras import execute_values

from trading_services.database.connection import Database
from trading_services.feature_engineering.bar_reader import SeriesKey

# Bars a transaction: small enough to beat between two, large enough to be quick.
_BARS_A_BATCH = 250
_PAGE = 2000

_UPSERT = """
INSERT INTO features AS old (symbol, timestamp, feature_name, value, timeframe, feature_group)
VALUES %s
ON CONFLICT (symbol, timestamp, feature_name, timeframe)
DO UPDATE SET value = excluded.value, feature_group = excluded.feature_group
WHERE old.value IS DISTINCT FROM excluded.value
   OR old.feature_group IS DISTINCT FROM excluded.feature_group
"""


def read_marks(database: Database) -> dict[SeriesKey, dict[str, datetime]]:
    """Return for every series how far each feature reaches in the table."""
    rows = database.query(
        "SELECT symbol, timeframe, feature_name, max(timestamp) FROM features"
        " GROUP BY symbol, timeframe, feature_name"
    )
    marks: dict[SeriesKey, dict[str, datetime]] = {}
    for symbol, timeframe, name, last in rows:
        marks.setdefault((symbol, timeframe), {})[name] = last
    return marks


def write_features(
    database: Database, key: SeriesKey, long: pl.DataFrame, beat: Callable[[], None]
) -> int:
    """Write the rows in time order, all of a bar in one transaction; return how many were sent."""
    for batch in _split_by_bars(long):
        with database.transaction() as cursor:
            execute_values(cursor, _UPSERT, _build_rows(key, batch), page_size=_PAGE)
        beat()
    return long.height


def _split_by_bars(long: pl.DataFrame) -> Iterator[pl.DataFrame]:
    moments = long.get_column("timestamp").unique().sort()
    for start in range(0, moments.len(), _BARS_A_BATCH):
        part = moments.slice(start, _BARS_A_BATCH)
        yield long.filter(pl.col("timestamp").is_between(part[0], part[-1]))


def _build_rows(key: SeriesKey, long: pl.DataFrame) -> list[tuple[object, ...]]:
    symbol, timeframe = key
    return [
        (symbol, moment, name, value, timeframe, group)
        for moment, name, value, group in long.iter_rows()
    ]
