"""Recorded series in PyPI packages, read by path: the packages' own imports are not installed."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zoneinfo import ZoneInfo

from trading_services.market_data.adjust import adjust
from trading_services.market_data.bars import Bar

_NEW_YORK = ZoneInfo("America/New_York")


class RecordedDataError(Exception):
    """A recorded series is not known, or its package is not installed."""


@dataclass(frozen=True)
class RecordedSeries:
    """Where one series comes from and how it is read."""

    package: str
    file: str
    licence: str
    read: Callable[[Path, str], list[Bar]]


def read_series(symbol: str, timeframe: str) -> list[Bar]:
    """Read one recorded series in time order; raise RecordedDataError when there is none."""
    series = RECORDED.get((symbol, timeframe))
    if series is None:
        known = ", ".join(f"{name} {frame}" for name, frame in sorted(RECORDED))
        raise RecordedDataError(f"no recorded series {symbol} {timeframe}; there are: {known}")
    return series.read(_locate(series), symbol)


def _locate(series: RecordedSeries) -> Path:
    try:
        path = Path(str(distribution(series.package).locate_file(series.file)))
    except PackageNotFoundError:
        raise RecordedDataError(f"package {series.package} is not installed") from None
    if not path.is_file():
        raise RecordedDataError(f"package {series.package} has no file {series.file}")
    return path


def _read_daily_stocks(path: Path, symbol: str) -> list[Bar]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Ticker"] == symbol]
    bars = [_build_daily_bar(row) for row in rows]
    return adjust(bars, [float(row["Adj Close"]) for row in rows])


def _build_daily_bar(row: dict[str, str]) -> Bar:
    # Midnight of the exchange's day is where Polygon stamps daily bars: a live provider that
    # continues the record makes no second bar for a day.
    day = datetime.strptime(row["Date"], "%Y-%m-%d").replace(tzinfo=_NEW_YORK)
    return Bar(
        symbol=row["Ticker"],
        timestamp=day.astimezone(UTC),
        open=float(row["Open"]),
        high=float(row["High"]),
        low=float(row["Low"]),
        close=float(row["Close"]),
        volume=float(row["Volume"]),
        timeframe="1d",
        source="recorded:bokeh_sampledata",
    )


def _read_hourly_forex(path: Path, symbol: str) -> list[Bar]:
    with path.open(encoding="utf-8", newline="") as file:
        return [_build_hourly_bar(row, symbol) for row in csv.DictReader(file)]


def _build_hourly_bar(row: dict[str, str], symbol: str) -> Bar:
    # The record's clock is UTC: its weeks end at 20:59 in summer and 21:59 in winter, which is
    # 17:00 in New York.
    start = datetime.strptime(row["Time"], "%d.%m.%Y %H:%M:%S.%f").replace(tzinfo=UTC)
    return Bar(
        symbol=symbol,
        timestamp=start,
        open=float(row["Open"]),
        high=float(row["High"]),
        low=float(row["Low"]),
        close=float(row["Close"]),
        volume=float(row["Volume"]),
        timeframe="1h",
        source="recorded:gym-anytrading",
    )


_STOCKS = RecordedSeries(
    "bokeh_sampledata", "bokeh_sampledata/_data/stocks.csv.gz", "BSD-3-Clause", _read_daily_stocks
)
_FOREX = RecordedSeries(
    "gym-anytrading",
    "gym_anytrading/datasets/data/FOREX_EURUSD_1H_ASK.csv",
    "MIT",
    _read_hourly_forex,
)

RECORDED = {
    ("AAPL", "1d"): _STOCKS,
    ("IBM", "1d"): _STOCKS,
    ("MSFT", "1d"): _STOCKS,
    ("EURUSD", "1h"): _FOREX,
}
