"""Reads the facts of the report."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading_services.database.connection import Database

_DATA = """
SELECT symbol, timeframe, count(*), min(timestamp), max(timestamp)
FROM stock_aggs GROUP BY symbol, timeframe ORDER BY timeframe, symbol
"""

_FEATURES = "SELECT count(*), count(DISTINCT feature_name) FROM features"

_MODELS = """
SELECT timeframe, version, status, model_id,
       (metrics -> 'data' ->> 'bars')::int, (metrics -> 'mean' ->> 'auc')::float8,
       (metrics -> 'mean' ->> 'logloss')::float8, (metrics -> 'mean' ->> 'hit_rate')::float8,
       (metrics -> 'mean' ->> 'sharpe')::float8
FROM model_registry ORDER BY timeframe, trained_at
"""

_SUMMARY = "SELECT * FROM trading_summary ORDER BY strategy"

_BY_SYMBOL = """
SELECT o.symbol, o.timeframe, count(*), count(f.fill_id), coalesce(sum(f.cost), 0),
       (SELECT coalesce(sum(p.profit_loss), 0) FROM positions p
        WHERE p.strategy = o.strategy AND p.symbol = o.symbol),
       (SELECT coalesce(sum(p.shares), 0) FROM positions p
        WHERE p.strategy = o.strategy AND p.symbol = o.symbol AND p.status = 'Open')
FROM orders o LEFT JOIN fills f USING (client_order_id)
GROUP BY o.strategy, o.symbol, o.timeframe ORDER BY o.timeframe, o.symbol
"""

_LAST_POSITIONS = """
SELECT symbol, status, shares, entry_price, exit_price, profit_loss, entry_time, exit_time, notes
FROM positions ORDER BY coalesce(exit_time, entry_time) DESC, position_id LIMIT 5
"""

_HALTS = "SELECT strategy, reason, halted_at FROM trading_halts ORDER BY strategy"


@dataclass(frozen=True)
class SeriesFacts:
    """One recorded series in the database."""

    symbol: str
    timeframe: str
    bars: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class ModelFacts:
    """One registered model and its mean out-of-sample metrics."""

    timeframe: str
    version: str
    status: str
    model_id: str
    bars: int
    auc: float
    logloss: float
    hit_rate: float
    sharpe: float


@dataclass(frozen=True)
class SymbolFacts:
    """What was traded of one symbol."""

    symbol: str
    timeframe: str
    orders: int
    fills: int
    costs: Decimal
    realised: Decimal
    open_shares: Decimal


@dataclass(frozen=True)
class PositionFacts:
    """One of the newest positions."""

    symbol: str
    status: str
    shares: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    profit: Decimal | None
    entry_time: datetime
    exit_time: datetime | None
    notes: str | None


@dataclass(frozen=True)
class Facts:
    """All that the report shows; `summaries` are rows of the view trading_summary by column."""

    series: tuple[SeriesFacts, ...]
    feature_values: int
    feature_names: int
    models: tuple[ModelFacts, ...]
    summaries: tuple[dict[str, Any], ...]
    symbols: tuple[SymbolFacts, ...]
    positions: tuple[PositionFacts, ...]
    halts: tuple[tuple[str, str, datetime], ...]


def read_facts(database: Database) -> Facts:
    """Read everything in one transaction, so that the numbers belong together."""
    with database.transaction() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

        def rows(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

        feature_values, names = rows(_FEATURES)[0]
        summaries = rows(_SUMMARY)
        columns = [column.name for column in cursor.description or ()]
        return Facts(
            series=tuple(SeriesFacts(*row) for row in rows(_DATA)),
            feature_values=feature_values,
            feature_names=names,
            models=tuple(ModelFacts(*row) for row in rows(_MODELS)),
            summaries=tuple(dict(zip(columns, row, strict=True)) for row in summaries),
            symbols=tuple(SymbolFacts(*row) for row in rows(_BY_SYMBOL)),
            positions=tuple(PositionFacts(*row) for row in rows(_LAST_POSITIONS)),
            halts=tuple((row[0], row[1], row[2]) for row in rows(_HALTS)),
        )
