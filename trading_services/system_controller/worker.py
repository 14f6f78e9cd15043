"""The worker of the system controller: watches components, pipeline and markets."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge

from trading_services.contract.logs import get_logger
from trading_services.contract.service import WorkerState
from trading_services.database.connection import Database
from trading_services.system_controller.components import (
    ComponentStatus,
    delete_old_heartbeats,
    read_components,
)
from trading_services.system_controller.market_hours import Market
from trading_services.system_controller.pipeline import SeriesLag, read_pipeline
from trading_services.system_controller.sessions import (
    MarketState,
    find_bar_end,
    find_market_state,
)

_FORGET_AFTER_SECONDS = 86_400.0

_log = get_logger(__name__)


class ControllerMetrics:
    """Gauges of components, pipeline lag and market sessions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the collectors."""
        self.registry = registry
        self.alive = self._gauge("trading_component_alive", "1 when it beat lately.", "controlled")
        self.age = self._gauge(
            "trading_component_beat_age_seconds", "Since its last beat.", "controlled"
        )
        self.told_paused = self._gauge(
            "trading_component_told_to_pause", "1 when it is to be paused.", "controlled"
        )
        self.lag_seconds = self._gauge(
            "trading_pipeline_lag_seconds",
            "Market time from the newest bar to the newest features.",
            "symbol",
            "timeframe",
        )
        self.lag_bars = self._gauge(
            "trading_pipeline_lag_bars", "Bars without features.", "symbol", "timeframe"
        )
        self.market_open = self._gauge("trading_market_open", "1 in a session.", "market")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)


class ControllerWorker:
    """Reads how everything stands, once a turn, for metrics and for the log."""

    def __init__(
        self,
        database: Database,
        markets: Sequence[Market],
        metrics: ControllerMetrics,
        poll_seconds: float,
        silent_after_seconds: float,
    ) -> None:
        """Take the parts; a component is silent after `silent_after_seconds` without a beat."""
        self._database = database
        self._markets = markets
        self._metrics = metrics
        self._poll = poll_seconds
        self._silent_after = silent_after_seconds
        self._alive: dict[str, bool] = {}
        self._states: dict[str, str] = {}

    def start(self) -> None:
        """Forget instances that ended long ago."""
        delete_old_heartbeats(self._database, _FORGET_AFTER_SECONDS)

    def step(self) -> float:
        """Read components, pipeline and markets, and show them as metrics."""
        for component in read_components(self._database):
            self._show_component(component)
        pipeline = read_pipeline(self._database, self._markets)
        for lag in pipeline:
            self._show_lag(lag)
        for market in find_market_states(self._markets, pipeline, datetime.now(UTC)):
            self._metrics.market_open.labels(market.market).set(market.state == "Open")
            self._states[market.market] = market.state
        return self._poll

    def stop(self) -> None:
        """Nothing is left open."""

    def describe(self) -> WorkerState:
        """Say which components are alive and which markets are open."""
        return WorkerState(detail={"alive": dict(self._alive), "markets": dict(self._states)})

    def _show_component(self, status: ComponentStatus) -> None:
        name = status.component
        alive = status.alive(self._silent_after)
        if alive != self._alive.get(name, False):
            _log.info("component alive" if alive else "component silent", controlled=name)
        self._alive[name] = alive
        self._metrics.alive.labels(name).set(alive)
        self._metrics.told_paused.labels(name).set(status.desired_state == "Paused")
        if status.instances:
            self._metrics.age.labels(name).set(status.instances[0].age_seconds)

    def _show_lag(self, lag: SeriesLag) -> None:
        if lag.seconds_behind is not None:
            self._metrics.lag_seconds.labels(lag.symbol, lag.timeframe).set(lag.seconds_behind)
            self._metrics.lag_bars.labels(lag.symbol, lag.timeframe).set(lag.bars_behind)


def find_market_states(
    markets: Sequence[Market], pipeline: Sequence[SeriesLag], now: datetime
) -> list[MarketState]:
    """Return each market's state, on the replay's clock where its newest bar is recorded."""
    return [find_market_state(market, _find_clock(market, pipeline, now)) for market in markets]


def _find_clock(market: Market, pipeline: Sequence[SeriesLag], now: datetime) -> datetime:
    own = [
        lag
        for lag in pipeline
        if lag.symbol in market.symbols and lag.timeframe == market.timeframe
    ]
    newest = max(own, key=lambda lag: lag.last_bar, default=None)
    if newest is None or not (newest.source or "").startswith("recorded:"):
        return now
    return find_bar_end(market, newest.last_bar)
