"""Reads the bars and features of a job's range, and says what is missing."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from trading_services.database.connection import Database
from trading_services.model_training.dataset import Dataset, History, build_dataset
from trading_services.model_training.walk_forward import build_times, to_moment
from trading_services.training_job.errors import PermanentError
from trading_services.training_job.job_file import JobFile

# Collation "C" sorts as Python does, so that columns and names agree.
_ROWS = """
SELECT f.timestamp, a.open::float8, f.row_values
FROM (
    SELECT timestamp, array_agg(value::float8 ORDER BY feature_name COLLATE "C") AS row_values
    FROM features
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND feature_name = ANY(%(names)s)
      AND timestamp >= %(first)s AND timestamp <= %(last)s
    GROUP BY timestamp
    HAVING count(*) = %(width)s
) f
JOIN stock_aggs a
  ON a.symbol = %(symbol)s AND a.timeframe = %(timeframe)s AND a.timestamp = f.timestamp
ORDER BY f.timestamp
"""
_RANGE = """
SELECT min(timestamp), max(timestamp), count(*) FROM stock_aggs
WHERE symbol = %s AND timeframe = %s
"""
_KNOWN = "SELECT DISTINCT symbol FROM stock_aggs WHERE timeframe = %s ORDER BY symbol LIMIT 20"
_FEATURES = """
SELECT DISTINCT feature_name FROM features
WHERE symbol = %s AND timeframe = %s AND feature_name = ANY(%s)
"""
_BEGINNING = datetime.fromisoformat("1677-09-22T00:00:00+00:00")
_END = datetime.fromisoformat("2262-04-11T00:00:00+00:00")


def read_dataset(
    database: Database, job: JobFile, names: tuple[str, ...], reach: Mapping[str, datetime]
) -> tuple[Dataset, dict[str, datetime]]:
    """Return the samples of all symbols, and each one's last bar; none is after its `reach`.

    Raises PermanentError for what there is not.
    """
    histories = [
        _read_history(database, job, names, (symbol, reach.get(symbol, _END)))
        for symbol in job.dataset.symbols
    ]
    for at, history in enumerate(histories):
        _check(database, job, at, history, names)
        _check_prices(job, history)
    last = {each.symbol: to_moment(each.times[-1]) for each in histories}
    return build_dataset(histories, names, job.horizon_bars), last


def _read_history(
    database: Database, job: JobFile, names: tuple[str, ...], until: tuple[str, datetime]
) -> History:
    symbol, last = until
    parameters = {
        "symbol": symbol,
        "timeframe": job.model.timeframe,
        "names": list(names),
        "width": len(names),
        "first": job.dataset.first or _BEGINNING,
        "last": min(job.dataset.last or _END, last),
    }
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


def _check(
    database: Database, job: JobFile, at: int, history: History, names: tuple[str, ...]
) -> None:
    wanted, found = job.dataset.min_bars, len(history.times)
    if found >= wanted:
        return
    symbol, timeframe = history.symbol, job.model.timeframe
    first, last, bars = database.query(_RANGE, (symbol, timeframe))[0]
    if not bars:
        known = ", ".join(row[0] for row in database.query(_KNOWN, (timeframe,))) or "none"
        raise PermanentError(
            "UnknownSymbol",
            f"dataset.symbols[{at}]: there is no bar of {symbol} {timeframe} (there are: {known}); "
            "mend the name, or let data acquisition bring it",
        )
    _check_features(database, symbol, timeframe, names)
    range_ = f"{first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}"
    if found == 0:
        raise PermanentError(
            "EmptyDataset",
            f"dataset: no bar of {symbol} {timeframe} with all features is in the range (its bars "
            f"are from {range_}); mend dataset.from, dataset.to or dataset.asOf",
        )
    raise PermanentError(
        "TooLittleData",
        f"dataset.minBars: {symbol} {timeframe} has {found} bars with all features in the range, "
        f"and {wanted} are wanted (its bars are from {range_}); widen the range, or lower minBars",
    )


def _check_prices(job: JobFile, history: History) -> None:
    wrong = np.flatnonzero(~(np.isfinite(history.opens) & (history.opens > 0)))
    if len(wrong):
        at = to_moment(history.times[wrong[0]])
        raise PermanentError(
            "InvalidPrices",
            f"dataset: {history.symbol} {job.model.timeframe} opens at {history.opens[wrong[0]]} "
            f"at {at:%Y-%m-%dT%H:%M:%SZ}, which is no price; mend the bar in stock_aggs, or leave "
            "it out by dataset.from or dataset.to",
        )


def _check_features(database: Database, symbol: str, timeframe: str, names: Sequence[str]) -> None:
    known = {row[0] for row in database.query(_FEATURES, (symbol, timeframe, list(names)))}
    missing = [name for name in names if name not in known]
    if missing:
        raise PermanentError(
            "UnknownFeature",
            f"features: {symbol} {timeframe} has no {', '.join(missing[:10])}; mend the names, or "
            "have feature engineering make them",
        )
