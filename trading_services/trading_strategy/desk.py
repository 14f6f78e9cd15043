"""The desk: takes over, reconciles, decides bar by bar, and carries orders to the venue."""

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from trading_services.contract.logs import get_logger
from trading_services.database.connection import Database
from trading_services.trading_strategy.bar_reader import (
    FeaturedBar,
    read_new_bars,
    read_newest_bar,
    read_rows_before,
    without_trailing_gap,
)
from trading_services.trading_strategy.book import (
    Bar,
    Book,
    Market,
    build_book_after_decision,
)
from trading_services.trading_strategy.broker import Broker
from trading_services.trading_strategy.config import StrategyConfig
from trading_services.trading_strategy.controls import Controls
from trading_services.trading_strategy.decisions import (
    Decision,
    Trader,
    decide,
    without_entry,
    without_order,
)
from trading_services.trading_strategy.halts import read_halt, write_halt
from trading_services.trading_strategy.journal import Journal
from trading_services.trading_strategy.live_metrics import LiveRules, read_live_record
from trading_services.trading_strategy.loading import LoadedModel
from trading_services.trading_strategy.model_shelf import ModelShelf, choose_model
from trading_services.trading_strategy.order_carrier import OrderCarrier
from trading_services.trading_strategy.reconciliation import (
    JournalEntry,
    Reconciliation,
    SendRules,
    build_book,
    plan_reconciliation,
)

_log = get_logger(__name__)

# Bars of one market that are decided before the next market gets its turn.
BARS_A_TURN = 100
# What is decided on where no model can be asked: it opens nothing, and stop, target and the longest
# holding time still close a position.
NEUTRAL_SCORE = 0.5
NO_MODEL = "none"
# How soon a new model of the registry is noticed.
MODEL_REFRESH_SECONDS = 5.0


@dataclass(frozen=True)
class Score:
    """What a model says of a bar, or the neutral score of no model."""

    model_id: str
    value: float


class MismatchError(Exception):
    """Journal and venue contradict each other: a person must look before trading goes on."""


@dataclass(frozen=True)
class DeskParts:
    """What a desk works with."""

    database: Database
    journal: Journal
    broker: Broker
    shelf: ModelShelf
    controls: Controls
    config: StrategyConfig
    trader: Trader
    feature_names: tuple[str, ...]
    stopping: threading.Event
    on_decision: Callable[[Market, Decision], None]


class Desk:
    """Trades every market that a model was trained for; one thread turns it.

    `books` is replaced, never changed in place, so that other threads may read it.
    """

    def __init__(self, parts: DeskParts) -> None:
        """Start without books; `take_over` reads them."""
        self.books: dict[Market, Book] = {}
        self.reconciled_at: datetime | None = None
        self.lagging_since: dict[Market, float] = {}
        self._parts = parts
        self._carrier = OrderCarrier(parts.journal, parts.broker)
        self._refresh_due = 0.0

    def take_over(self) -> None:
        """Take the fence, make journal and venue agree, and rebuild the books.

        Raises FenceLostError, BrokerError when the venue gives no answer (which says nothing about
        its orders), and MismatchError after halting trading.
        """
        parts = self._parts
        self.reconciled_at = None
        parts.broker.claim(parts.journal.acquire())
        parts.controls.latched_halt = read_halt(parts.database, parts.config.name)
        entries = parts.journal.read_entries()
        plan = plan_reconciliation(entries, parts.broker.read_orders(), self._send_rules())
        self._refuse_mismatches(plan)
        self.books = self._build_books(entries)
        for action in plan.actions:
            self._replace(self._carrier.carry_out(action, self.books[action.order.market]))
        self.reconciled_at = datetime.now(UTC)
        _log.info(
            "reconciled",
            fence=parts.journal.token,
            orders=len(entries),
            actions=[f"{each.step}:{each.order.request.client_order_id}" for each in plan.actions],
        )

    def turn(self) -> int:
        """Give every market a turn and return how many bars were decided."""
        parts = self._parts
        self._refresh_models()
        parts.controls.latched_halt = read_halt(parts.database, parts.config.name)
        return sum(self._advance(market) for market in self._tradable())

    def forget(self) -> None:
        """Trust nothing any more: the next turn must take over again."""
        self.reconciled_at = None
        self._parts.journal.close()
        self._parts.broker.close()

    def working_orders(self) -> int:
        """Return how many orders are at work."""
        return sum(1 for book in self.books.values() if book.working is not None)

    def why_not_reconciled(self) -> str | None:
        """Return why the books are not known to be right, or None."""
        return None if self.reconciled_at else "journal and venue are not reconciled yet"

    def why_not_fresh(self) -> str | None:
        """Return which market has had stored bars without a decision for too long."""
        limit = self._parts.config.max_feature_age_seconds
        now = time.monotonic()
        late = [
            f"{market.symbol} {market.timeframe}: bars wait for their features or a decision since "
            f"{now - since:.0f} s"
            for market, since in dict(self.lagging_since).items()
            if now - since > limit
        ]
        return "; ".join(late) or None

    def why_stranded(self) -> str | None:
        """Return which market has a position or an order but no rules to end it by, or None."""
        rules = self._parts.config.rules
        stranded = [
            f"{book.market.symbol} {book.market.timeframe}"
            for book in self.books.values()
            if (book.position or book.working) and book.market.timeframe not in rules
        ]
        if not stranded:
            return None
        return f"{', '.join(sorted(stranded))}: held, but strategy_config.json has no such rules"

    def _advance(self, market: Market) -> int:
        book = self._settle(self._book_of(market))
        after = book.last_bar or self._parts.shelf.first_bar_after(market)
        if not self._may_decide():
            # Nothing is late while somebody wants it to stand still.
            self.lagging_since.pop(market, None)
            return 0
        if after is None or book.working is not None:
            return 0
        found = read_new_bars(
            self._parts.database, market, self._parts.feature_names, after, BARS_A_TURN
        )
        complete = without_trailing_gap(found)
        wait_is_over = book.position is not None and self._is_late(market)
        decided = sum(1 for _ in self._decide_all(market, found if wait_is_over else complete))
        last = complete[-1].bar.time if complete else after
        self._note_lag(market, decided if complete else 0, last)
        return decided

    def _decide_all(self, market: Market, bars: Iterable[FeaturedBar]) -> Iterable[datetime]:
        for featured in bars:
            book = self._settle(self._book_of(market))
            if book.working or not self._may_decide():
                return
            score = self._score(book, featured)
            if score is not None:
                self._decide(book, featured.bar, score)
                yield featured.bar.time
            elif featured.features:
                # A model may yet come for this bar.
                return

    def _score(self, book: Book, featured: FeaturedBar) -> Score | None:
        """Ask the model; without an answer only a book with a position is decided on."""
        model = choose_model(self._parts.shelf.models, book.market, featured.bar.time)
        if model is not None and featured.features:
            value = self._try_score(model, book.market, featured)
            if value is not None:
                return Score(model.facts.model_id, value)
            return Score(NO_MODEL, NEUTRAL_SCORE)
        return None if book.position is None else Score(NO_MODEL, NEUTRAL_SCORE)

    def _try_score(self, model: LoadedModel, market: Market, featured: FeaturedBar) -> float | None:
        """Return the score of a bar; None of a model that fails, which is counted against it."""
        rows = [*self._read_rows(model, market, featured), featured.features]
        try:
            value = model.score(rows)
        except (ArithmeticError, ValueError, LookupError, RuntimeError) as error:
            _log.error("model failed", model_id=model.facts.model_id, error=str(error))
            value = math.nan
        if math.isfinite(value):
            return value
        self._parts.shelf.selected.note_error(model.facts.model_id)
        return None

    def _read_rows(
        self, model: LoadedModel, market: Market, featured: FeaturedBar
    ) -> list[tuple[float, ...]]:
        """Return the rows before a bar that a model looks back to."""
        if model.window == 1:
            return []
        parts = self._parts
        return read_rows_before(
            parts.database, market, parts.feature_names, featured.bar.time, model.window - 1
        )

    def _decide(self, book: Book, bar: Bar, score: Score) -> None:
        parts = self._parts
        rules = parts.config.rules[book.market.timeframe]
        decision = decide(parts.trader, book, bar, score.value, rules)
        decision = self._without_refused(decision)
        parts.journal.write_decision(book.market, bar, score.model_id, score.value, decision)
        book = build_book_after_decision(book, bar, decision.order)
        self._replace(book)
        parts.on_decision(book.market, decision)
        if decision.order is not None:
            self._replace(self._carrier.send(book, decision.order))

    def _without_refused(self, decision: Decision) -> Decision:
        controls = self._parts.controls
        if controls.exit_refusal is not None:
            return without_order(decision, "TradingHalted")
        if controls.halt_reason is not None:
            return without_entry(decision, "TradingHalted")
        return decision

    def _settle(self, book: Book) -> Book:
        """Bring the working order, if any, to where the venue has it."""
        if book.working is None:
            return book
        cancel = self._parts.controls.cancels(book.working.intent)
        settled = self._carrier.settle(book, cancel=cancel)
        self._replace(settled)
        return settled

    def _may_decide(self) -> bool:
        return self._parts.controls.decides and not self._parts.stopping.is_set()

    def _is_late(self, market: Market) -> bool:
        """Whether bars have waited for their features for longer than they may."""
        since = self.lagging_since.get(market)
        limit = self._parts.config.max_feature_age_seconds
        return since is not None and time.monotonic() - since > limit

    def _tradable(self) -> list[Market]:
        known = {*self._parts.shelf.markets(), *self.books}
        return sorted(market for market in known if market.timeframe in self._parts.config.rules)

    def _refresh_models(self) -> None:
        shelf = self._parts.shelf
        if time.monotonic() >= self._refresh_due or shelf.selected.has_changed():
            shelf.refresh()
            self._judge_selected()
            self._refresh_due = time.monotonic() + MODEL_REFRESH_SECONDS

    def _judge_selected(self) -> None:
        """Measure what each selected version did since it was selected."""
        parts = self._parts
        for report in parts.shelf.selected.loaded():
            rules = parts.config.rules.get(report.line.timeframe)
            since = report.line.since or report.loaded_at
            if rules is None or since is None:
                continue
            costs = rules.costs.commission_bps + rules.costs.slippage_bps
            live = LiveRules(parts.config.name, rules.signals.entry_strength, float(costs))
            report.record = read_live_record(
                parts.database, report.line.id, report.line.timeframe, since, live
            )

    def _note_lag(self, market: Market, decided: int, last: datetime) -> None:
        """Remember since when stored bars wait for a decision, for the freshness check."""
        newest = read_newest_bar(self._parts.database, market)
        if newest is None or newest <= last:
            self.lagging_since.pop(market, None)
        elif decided:
            self.lagging_since[market] = time.monotonic()
        else:
            self.lagging_since.setdefault(market, time.monotonic())

    def _send_rules(self) -> SendRules:
        return SendRules(
            valid_seconds=self._parts.config.intent_valid_seconds,
            entries_allowed=self._parts.controls.halt_reason is None and self._may_decide(),
            exits_allowed=self._parts.controls.exit_refusal is None,
        )

    def _refuse_mismatches(self, plan: Reconciliation) -> None:
        if plan.mismatches:
            reason = "ReconcileMismatch: " + ", ".join(str(each) for each in plan.mismatches[:5])
            write_halt(self._parts.database, self._parts.config.name, reason)
            raise MismatchError(f"{reason} ({len(plan.mismatches)} in all)")

    def _build_books(self, entries: list[JournalEntry]) -> dict[Market, Book]:
        grouped: dict[Market, list[JournalEntry]] = {}
        for entry in entries:
            grouped.setdefault(entry.order.market, []).append(entry)
        progress = self._parts.journal.read_progress()
        return {
            market: self._build_book(market, grouped.get(market, []), last)
            for market, last in progress.items()
        }

    def _build_book(self, market: Market, entries: list[JournalEntry], last: datetime) -> Book:
        book = build_book(market, entries, last, 0)
        if book.position is None:
            return book
        held = self._parts.journal.read_bars_held(market, book.position.entry_time)
        return build_book(market, entries, last, held)

    def _book_of(self, market: Market) -> Book:
        return self.books.get(market, Book(market=market))

    def _replace(self, book: Book) -> None:
        self.books = {**self.books, book.market: book}
