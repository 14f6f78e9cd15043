"""The worker of data acquisition: history at once, then what the provider brings."""

import time
from collections import Counter as Tally
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from trading_services.contract.logs import get_logger
from trading_services.contract.service import WorkerState
from trading_services.data_acquisition.bar_store import insert_bars, read_stands
from trading_services.data_acquisition.provider import Provider
from trading_services.data_acquisition.raw_copies import RawCopies
from trading_services.database.connection import Database
from trading_services.market_data.bars import Bar, find_fault

_COMPLETE_REST_SECONDS = 1.0

_log = get_logger(__name__)


class DataMetrics:
    """What came in, what was refused, and how far the data reaches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the collectors."""
        series = ["symbol", "timeframe"]
        self.stored = Counter(
            "trading_bars_stored", "Bars written to the table.", series, registry=registry
        )
        self.rejected = Counter(
            "trading_bars_rejected", "Bars refused.", ["reason", *series], registry=registry
        )
        self.last_bar = Gauge(
            "trading_last_bar_timestamp_seconds",
            "Time of the newest bar.",
            series,
            registry=registry,
        )


class DataWorker:
    """Stores what the provider brings; a bar is kept until the table has it."""

    def __init__(
        self,
        database: Database,
        provider: Provider,
        raw: RawCopies,
        metrics: DataMetrics,
        rest_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; `rest_seconds` lie between two polls."""
        self._database = database
        self._provider = provider
        self._raw = raw
        self._metrics = metrics
        self._rest = rest_seconds
        self._clock = clock
        self._pending: list[Bar] = []
        self._stored_at: float | None = None

    def start(self) -> None:
        """Bring the table to where the provider's history ends, from wherever it stands."""
        history = self._accepted(self._provider.read_history(read_stands(self._database)))
        new = self._store(history)
        self._stored_at = self._clock()
        _log.info("history stored", bars=len(history), new=new, feeds=self._provider.describe())

    def step(self) -> float:
        """Store the bars that have come; those of a failed turn first."""
        if not self._pending:
            self._pending = self._accepted(self._provider.poll(self._clock()))
        if self._pending:
            self._store(self._pending)
            self._stored_at = self._clock()
            self._pending = []
            if self._provider.complete:
                _log.info("replay complete", feeds=self._provider.describe())
        return _COMPLETE_REST_SECONDS if self._provider.complete else self._rest

    def stop(self) -> None:
        """Store what is left of the last poll."""
        if self._pending:
            self._store(self._pending)
            self._pending = []

    def describe(self) -> WorkerState:
        """Say Loading, Replaying or Complete, and where each feed stands."""
        if self._stored_at is None:
            return WorkerState("Loading")
        state = "Complete" if self._done() else "Replaying"
        return WorkerState(state, {"feeds": self._provider.describe()})

    def why_no_bars(self) -> str | None:
        """Return a reason until the history is in the table."""
        return "history is not stored yet" if self._stored_at is None else None

    def why_stale(self, longest_seconds: float) -> str | None:
        """Return a reason when no bar came for too long although more are to come."""
        if self._stored_at is None or self._done():
            return None
        age = self._clock() - self._stored_at
        return f"no bar for {age:.1f} s" if age > longest_seconds else None

    def _done(self) -> bool:
        return self._provider.complete and not self._pending

    def _store(self, bars: Sequence[Bar]) -> int:
        self._raw.append(bars)
        new = insert_bars(self._database, bars)
        self._count(bars)
        return new

    def _accepted(self, bars: Sequence[Bar]) -> list[Bar]:
        return [bar for bar in bars if self._accept(bar)]

    def _accept(self, bar: Bar) -> bool:
        fault = find_fault(bar)
        if fault is None:
            return True
        self._metrics.rejected.labels(fault, bar.symbol, bar.timeframe).inc()
        _log.warning(
            "bar rejected", reason=fault, symbol=bar.symbol, bar_timestamp=bar.timestamp.isoformat()
        )
        return False

    def _count(self, bars: Sequence[Bar]) -> None:
        tally = Tally((bar.symbol, bar.timeframe) for bar in bars)
        newest = {(bar.symbol, bar.timeframe): bar.timestamp for bar in bars}
        for (symbol, timeframe), count in tally.items():
            self._metrics.stored.labels(symbol, timeframe).inc(count)
            moment = newest[symbol, timeframe].timestamp()
            self._metrics.last_bar.labels(symbol, timeframe).set(moment)
