"""Bars in `stock_aggs`: where the table stands, and inserts that may be repeated."""

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from psycopg2.extras import execute_values

from trading_services.data_acquisition.provider import SeriesKey, Stand
from trading_services.database.connection import Database
from trading_services.market_data.bars import Bar

_PAGE = 2000

_INSERT = """
INSERT INTO stock_aggs (symbol, timestamp, open, high, low, close, volume, timeframe, source)
VALUES %s
ON CONFLICT (symbol, timestamp, timeframe) DO NOTHING
"""


def read_stands(database: Database) -> dict[SeriesKey, Stand]:
    """Return the number of bars and the last bar's time of every series in the table."""
    rows = database.query(
        "SELECT symbol, timeframe, count(*), max(timestamp) FROM stock_aggs"
        " GROUP BY symbol, timeframe"
    )
    return {(symbol, timeframe): Stand(count, last) for symbol, timeframe, count, last in rows}


def insert_bars(database: Database, bars: Sequence[Bar]) -> int:
    """Insert the bars in one transaction, skipping those there already; return how many were new.

    One transaction, so that a time step is never half in the table.
    """
    with database.transaction() as cursor:
        return sum(
            _insert_page(cursor, bars[start : start + _PAGE])
            for start in range(0, len(bars), _PAGE)
        )


def _insert_page(cursor: Cursor, bars: Sequence[Bar]) -> int:
    rows = [
        (
            bar.symbol,
            bar.timestamp,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
            bar.timeframe,
            bar.source,
        )
        for bar in bars
    ]
    execute_values(cursor, _INSERT, rows, page_size=_PAGE)
    return int(cursor.rowcount)
