"""Reads what is to be decided: finished bars with the features that a model needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trading_services.database.connection import Database
from trading_services.trading_strategy.book import Bar, Market

# Collation "C" sorts as Python does, so that columns and names agree.
_NEW_BARS = """
SELECT bar.timestamp, bar.open, bar.high, bar.low, bar.close, known.row_values
FROM (
    SELECT timestamp, open, high, low, close FROM stock_aggs
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND timestamp > %(after)s
    ORDER BY timestamp LIMIT %(limit)s
) bar
LEFT JOIN LATERAL (
    SELECT array_agg(value::float8 ORDER BY feature_name COLLATE "C") AS row_values
    FROM features
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND timestamp = bar.timestamp
      AND feature_name = ANY(%(names)s)
    HAVING count(*) = %(width)s
) known ON true
ORDER BY bar.timestamp
"""

_ROWS_BEFORE = """
SELECT row_values FROM (
    SELECT timestamp, array_agg(value::float8 ORDER BY feature_name COLLATE "C") AS row_values
    FROM features
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND feature_name = ANY(%(names)s)
      AND timestamp < %(before)s AND timestamp >= (
          SELECT min(timestamp) FROM (
              SELECT timestamp FROM stock_aggs
              WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND timestamp < %(before)s
              ORDER BY timestamp DESC LIMIT %(looked_at)s
          ) AS newest
      )
    GROUP BY timestamp
    HAVING count(*) = %(width)s
    ORDER BY timestamp DESC LIMIT %(rows)s
) AS complete ORDER BY timestamp
"""
# Bars without features between those that have them are no reason to look for ever.
_LOOKED_AT = 4

_NEWEST_BAR = """
SELECT max(timestamp) FROM stock_aggs WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s
"""


@dataclass(frozen=True)
class FeaturedBar:
    """A bar and the features known at its end, in the order of the names asked for.

    `features` is empty as long as not all of them are stored.
    """

    bar: Bar
    features: tuple[float, ...]


def read_new_bars(
    database: Database, market: Market, names: Sequence[str], after: datetime, limit: int
) -> list[FeaturedBar]:
    """Return the next `limit` bars after `after`, each with all its features or with none."""
    rows = database.query(
        _NEW_BARS,
        {
            "symbol": market.symbol,
            "timeframe": market.timeframe,
            "after": after,
            "limit": limit,
            "names": list(names),
            "width": len(names),
        },
    )
    # The query's columns come in name order; the model wants the order of `names`.
    order = [sorted(names).index(name) for name in names]
    return [
        FeaturedBar(Bar(*row[:5]), tuple(row[5][position] for position in order if row[5]))
        for row in rows
    ]


def read_rows_before(
    database: Database, market: Market, names: Sequence[str], before: datetime, rows: int
) -> list[tuple[float, ...]]:
    """Return the last rows of features before a bar, oldest first, in the order of `names`."""
    found = database.query(
        _ROWS_BEFORE,
        {
            "symbol": market.symbol,
            "timeframe": market.timeframe,
            "names": list(names),
            "width": len(names),
            "before": before,
            "rows": rows,
            "looked_at": rows * _LOOKED_AT,
        },
    )
    order = [sorted(names).index(name) for name in names]
    return [tuple(row[0][position] for position in order) for row in found]


def read_newest_bar(database: Database, market: Market) -> datetime | None:
    """Return the time of the newest stored bar, with or without features."""
    parameters = {"symbol": market.symbol, "timeframe": market.timeframe}
    newest: datetime | None = database.query(_NEWEST_BAR, parameters)[0][0]
    return newest


def without_trailing_gap(bars: Sequence[FeaturedBar]) -> Sequence[FeaturedBar]:
    """Return the bars up to the last complete one: gaps before it are filled no more."""
    last = max((place for place, each in enumerate(bars) if each.features), default=-1)
    return bars[: last + 1]
