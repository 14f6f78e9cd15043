"""The worker of feature engineering: new bars in, their features out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from trading_services.contract.logs import get_logger
from trading_services.contract.service import WorkerState
from trading_services.database.connection import Database
from trading_services.feature_engineering.bar_reader import (
    SeriesKey,
    read_extents,
    read_newer_bars,
    read_series_bars,
)
from trading_services.feature_engineering.feature_store import read_marks, write_features
from trading_services.feature_engineering.schema import FeatureConfig, build_features
from trading_services.feature_engineering.series import Series
from trading_services.feature_engineering.snapshots import Snapshots

_log = get_logger(__name__)


class FeatureMetrics:
    """What was written, and how far the features reach."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the collectors."""
        series = ["symbol", "timeframe"]
        self.written = Counter(
            "trading_features_written", "Feature values sent.", series, registry=registry
        )
        self.last = Gauge(
            "trading_last_feature_timestamp_seconds",
            "Time of the newest bar with features.",
            series,
            registry=registry,
        )


@dataclass(frozen=True)
class Pace:
    """Seconds between looks for new bars, comparisons with the whole table, and snapshots.

    `beat` is called between the parts of a long write.
    """

    poll: float
    compare: float
    snapshot: float
    beat: Callable[[], None]


class FeatureWorker:
    """Keeps `features` up to date with `stock_aggs`; the tables say where to go on."""

    def __init__(
        self,
        database: Database,
        config: FeatureConfig,
        snapshots: Snapshots,
        metrics: FeatureMetrics,
        pace: Pace,
    ) -> None:
        """Take the parts; nothing is read before `start`."""
        self._database = database
        self._features = build_features(config)
        self._timeframes = config.timeframes
        self._snapshots = snapshots
        self._metrics = metrics
        self._pace = pace
        self._series: dict[SeriesKey, Series] = {}
        self._compare_due = 0.0
        self._snapshot_due = 0.0
        self._caught_up_at: float | None = None

    def start(self) -> None:
        """Load every series and write what its features lack."""
        marks = read_marks(self._database)
        for key in read_extents(self._database, self._timeframes):
            self._series[key] = self._load(key, marks.get(key, {}))
            self._write(self._series[key])
        self._note_caught_up()
        self._compare_due = time.monotonic() + self._pace.compare
        _log.info("series loaded", series=len(self._series), features=len(self._features))

    def step(self) -> float:
        """Write the features of the bars that came since the last turn."""
        for timeframe in self._timeframes:
            self._append_newer(timeframe)
        if time.monotonic() >= self._compare_due or not self._series:
            self._reload_changed()
        for series in self._series.values():
            self._write(series)
        self._note_caught_up()
        if time.monotonic() >= self._snapshot_due:
            self._snapshots.write(self._series.values())
            self._snapshot_due = time.monotonic() + self._pace.snapshot
        return self._pace.poll

    def stop(self) -> None:
        """Leave a snapshot of what was last written."""
        self._snapshots.write(self._series.values())

    def describe(self) -> WorkerState:
        """Say how far each series' features reach."""
        reached = {
            f"{symbol} {timeframe}": series.last.isoformat()
            for (symbol, timeframe), series in list(self._series.items())
        }
        return WorkerState("Running" if reached else "Waiting", {"reached": reached})

    def why_no_features(self) -> str | None:
        """Return a reason until every series found at the start has its features."""
        if not self._series:
            return f"stock_aggs has no bars of the timeframes {', '.join(self._timeframes)}"
        return None if self._caught_up_at is not None else "features are being written"

    def why_behind(self, longest_seconds: float) -> str | None:
        """Return a reason when the features have not caught up with the bars for too long."""
        if self._caught_up_at is None:
            return None
        age = time.monotonic() - self._caught_up_at
        return f"behind the bars for {age:.1f} s" if age > longest_seconds else None

    def _reload_changed(self) -> None:
        """Start over with series whose bars are not those in memory: older ones were added."""
        extents = read_extents(self._database, self._timeframes)
        for key, extent in extents.items():
            known = self._series.get(key)
            if known is None or (extent.last == known.last and extent.count != known.count):
                _log.info("series reloaded", symbol=key[0], timeframe=key[1], bars=extent.count)
                self._series[key] = self._load(key, {})
        # A series that grew between the two looks says nothing yet: look again at the next turn.
        if all(self._series[key].last >= extent.last for key, extent in extents.items()):
            self._compare_due = time.monotonic() + self._pace.compare

    def _note_caught_up(self) -> None:
        if self._series:
            self._caught_up_at = time.monotonic()

    def _load(self, key: SeriesKey, marks: Mapping[str, datetime]) -> Series:
        return Series(key, read_series_bars(self._database, key), self._features, marks)

    def _append_newer(self, timeframe: str) -> None:
        known = {key[0]: one for key, one in self._series.items() if key[1] == timeframe}
        lasts = {symbol: one.last for symbol, one in known.items()}
        if not lasts:
            return
        for symbol, rows in read_newer_bars(self._database, timeframe, lasts).items():
            known[symbol].append(rows)

    def _write(self, series: Series) -> None:
        if not series.behind:
            return
        symbol, timeframe = series.key
        sent = write_features(
            self._database, series.key, series.compute_unwritten(), self._pace.beat
        )
        series.mark_written()
        self._metrics.written.labels(symbol, timeframe).inc(sent)
        self._metrics.last.labels(symbol, timeframe).set(series.last.timestamp())
