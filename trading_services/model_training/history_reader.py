"""Reads bars with complete features from the database."""

from datetime import datetime

import numpy as np

from trading_services.database.connection import Database
from trading_services.model_training.config import ModelSpec
from trading_services.model_training.dataset import History
from trading_services.model_training.walk_forward import build_times

# Collation "C" sorts as Python does, so that columns and names agree.
_ROWS = """
SELECT f.timestamp, a.open::float8, f.row_values
FROM (
    SELECT timestamp, array_agg(value::float8 ORDER BY feature_name COLLATE "C") AS row_values
    FROM features
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND feature_name = ANY(%(names)s)
    GROUP BY timestamp
    HAVING count(*) = %(width)s
) f
JOIN stock_aggs a
  ON a.symbol = %(symbol)s AND a.timeframe = %(timeframe)s AND a.timestamp = f.timestamp
ORDER BY f.timestamp
LIMIT %(bars)s
"""

_KNOWN = """
SELECT count(*) FROM (
    SELECT 1 FROM features
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND feature_name = ANY(%(names)s)
    GROUP BY timestamp
    HAVING count(*) = %(width)s
) complete
"""


def read_known_bars(database: Database, spec: ModelSpec, names: tuple[str, ...]) -> int:
    """Return how many bars with all features the symbol with the fewest has."""
    counts = [
        database.query(_KNOWN, _build_parameters(spec, symbol, names))[0][0]
        for symbol in spec.symbols
    ]
    return int(min(counts))


def read_histories(
    database: Database, spec: ModelSpec, names: tuple[str, ...], bars: int
) -> list[History]:
    """Return the first `bars` complete bars of every symbol, features in the order of `names`."""
    return [_read_history(database, spec, symbol, names, bars) for symbol in spec.symbols]


def _read_history(
    database: Database, spec: ModelSpec, symbol: str, names: tuple[str, ...], bars: int
) -> History:
    parameters = {**_build_parameters(spec, symbol, names), "bars": bars}
    rows: list[tuple[datetime, float, list[float]]] = database.query(_ROWS, parameters)
    # The query's columns come in name order; the model wants the order of `names`.
    order = [sorted(names).index(name) for name in names]
    features = np.array([row[2] for row in rows], dtype=np.float64).reshape(len(rows), len(names))
    return History(
        symbol=symbol,
        times=build_times([row[0] for row in rows]),
        opens=np.array([row[1] for row in rows], dtype=np.float64),
        features=features[:, order],
    )


def _build_parameters(spec: ModelSpec, symbol: str, names: tuple[str, ...]) -> dict[str, object]:
    return {
        "symbol": symbol,
        "timeframe": spec.timeframe,
        "names": list(names),
        "width": len(names),
    }
