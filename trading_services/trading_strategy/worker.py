"""The strategy's turn: take over when that is due, trade, and step back when fenced off."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from trading_services.contract.logs import get_logger
from trading_services.contract.service import WorkerState
from trading_services.trading_strategy.book import Market
from trading_services.trading_strategy.broker import StaleWriter
from trading_services.trading_strategy.controls import Controls
from trading_services.trading_strategy.decisions import Decision
from trading_services.trading_strategy.desk import Desk
from trading_services.trading_strategy.journal import FenceLostError
from trading_services.trading_strategy.model_shelf import ModelShelf

_log = get_logger(__name__)

FENCED_REST_SECONDS = 5.0


class StrategyMetrics:
    """What Prometheus hears of the desk; the labels are bounded by the models' markets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the collectors."""
        self.decisions = Counter(
            "trading_decisions",
            "Bars decided, by what was done.",
            ["symbol", "timeframe", "action"],
            registry=registry,
        )
        self.positions = Gauge("trading_positions_open", "Open positions.", registry=registry)
        self.working = Gauge("trading_orders_working", "Orders at work.", registry=registry)
        self.realised = Gauge(
            "trading_realised_profit", "Realised profit after costs.", registry=registry
        )
        self.halted = Gauge("trading_halted", "1 while trading is halted.", registry=registry)
        self.refused = Gauge(
            "trading_models_refused", "Registered models that were refused.", registry=registry
        )

    def count(self, market: Market, decision: Decision) -> None:
        """Count a decision."""
        self.decisions.labels(market.symbol, market.timeframe, decision.action).inc()

    def show(self, desk: Desk, controls: Controls, shelf: ModelShelf) -> None:
        """Show how the books stand."""
        books = list(desk.books.values())
        self.positions.set(sum(1 for book in books if book.position is not None))
        self.working.set(desk.working_orders())
        self.realised.set(float(sum(book.realised for book in books)))
        self.halted.set(controls.halt_reason is not None)
        self.refused.set(len(shelf.refusals))


class StrategyWorker:
    """Turns the desk; once fenced off it never writes again in this process."""

    def __init__(
        self,
        desk: Desk,
        shelf: ModelShelf,
        controls: Controls,
        metrics: StrategyMetrics,
        poll_seconds: float,
    ) -> None:
        """Keep the parts."""
        self._desk = desk
        self._shelf = shelf
        self._controls = controls
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._fenced: str | None = None

    def start(self) -> None:
        """Nothing to prepare: the first step takes over, so that readiness can say why not."""

    def step(self) -> float:
        """Take over if that is due and give every market a turn; return the seconds to rest."""
        self._controls.paused = False
        return self._turn()

    def step_paused(self) -> float:
        """Look after working orders, halt and drain, but decide nothing."""
        self._controls.paused = True
        return self._turn()

    def stop(self) -> None:
        """Take no more orders; those at work are in the journal and found again by the next."""
        self._desk.forget()

    def describe(self) -> WorkerState:
        """Say how the desk stands."""
        books = list(self._desk.books.values())
        detail = {
            "openPositions": sum(1 for book in books if book.position is not None),
            "workingOrders": self._desk.working_orders(),
            "halted": self._controls.halt_reason,
            "models": [each.facts.model_id for each in self._shelf.models if each.is_active],
            "refusedModels": self._shelf.refusals,
        }
        return WorkerState(self._state(), detail)

    def why_fenced(self) -> str | None:
        """Return who took over, or None."""
        return self._fenced

    def _turn(self) -> float:
        if self._fenced is not None:
            return FENCED_REST_SECONDS
        try:
            decided = self._work()
        except (FenceLostError, StaleWriter) as error:
            self._step_back(str(error))
            return FENCED_REST_SECONDS
        except Exception:
            # What is half done stands in the journal or at the venue, not in memory.
            self._desk.forget()
            raise
        self._metrics.show(self._desk, self._controls, self._shelf)
        return 0.0 if decided else self._poll_seconds

    def _work(self) -> int:
        if self._desk.reconciled_at is None:
            self._desk.take_over()
        decided = self._desk.turn()
        self._controls.note_working(self._desk.working_orders())
        return decided

    def _step_back(self, reason: str) -> None:
        self._fenced = reason
        self._desk.forget()
        _log.critical("fenced off: another writer took over", reason=reason)

    def _state(self) -> str:
        if self._fenced is not None:
            return "Fenced"
        if self._controls.draining:
            return "Draining"
        return "Halted" if self._controls.halt_reason is not None else "Running"
