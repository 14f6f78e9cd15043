"""The desk: takes over, reconciles, decides bar by bar, and carries orders to the venue."""

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
)
from trading_services.trading_strategy.book import (
    Book,
    Market,
    build_book_after_decision,
)
from trading_services.trading_strategy.broker import Broker
from trading_services.trading_strategy.config import StrategyConfig
from trading_services.trading_strategy.controls import Controls
from trading_services.trading_strategy.decisions import Decision, Trader, decide, without_entry
from trading_services.trading_strategy.halts import read_halt, write_halt
from trading_services.trading_strategy.journal import Journal
from trading_services.trading_strategy.model_shelf import LoadedModel, ModelShelf, choose_model
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
# How soon a new model of the registry is noticed.
MODEL_REFRESH_SECONDS = 5.0


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

    def _advance(self, market: Market) -> int:
        book = self._settle(self._book_of(market))
        after = book.last_bar or self._parts.shelf.first_bar_after(market)
        if after is None or book.working is not None:
            return 0
        bars = read_new_bars(
            self._parts.database, market, self._parts.feature_names, after, BARS_A_TURN
        )
        decided = sum(1 for _ in self._decide_all(market, bars))
        self._note_lag(market, decided, after if not bars else bars[-1].bar.time)
        return decided

    def _decide_all(self, market: Market, bars: Iterable[FeaturedBar]) -> Iterable[datetime]:
        for featured in bars:
            book = self._settle(self._book_of(market))
            model = choose_model(self._parts.shelf.models, market, featured.bar.time)
            if book.working or model is None or not self._may_decide():
                return
            self._decide(book, featured, model)
            yield featured.bar.time

    def _decide(self, book: Book, featured: FeaturedBar, model: LoadedModel) -> None:
        parts = self._parts
        score = model.model.score(featured.features)
        rules = parts.config.rules[book.market.timeframe]
        decision = decide(parts.trader, book, featured.bar, score, rules)
        if parts.controls.halt_reason is not None:
            decision = without_entry(decision, "TradingHalted")
        parts.journal.write_decision(
            book.market, featured.bar, model.facts.model_id, score, decision
        )
        book = build_book_after_decision(book, featured.bar, decision.order)
        self._replace(book)
        parts.on_decision(book.market, decision)
        if decision.order is not None:
            self._replace(self._carrier.send(book, decision.order))

    def _settle(self, book: Book) -> Book:
        """Bring the working order, if any, to where the venue has it."""
        if book.working is None:
            return book
        cancel = self._parts.controls.cancels(book.working.intent)
        settled = self._carrier.settle(book, cancel=cancel)
        self._replace(settled)
        return settled

    def _may_decide(self) -> bool:
        return not (self._parts.stopping.is_set() or self._parts.controls.draining)

    def _tradable(self) -> list[Market]:
        known = {*self._parts.shelf.markets(), *self.books}
        return sorted(market for market in known if market.timeframe in self._parts.config.rules)

    def _refresh_models(self) -> None:
        if time.monotonic() >= self._refresh_due:
            self._parts.shelf.refresh()
            self._refresh_due = time.monotonic() + MODEL_REFRESH_SECONDS

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
            entries_allowed=self._parts.controls.halt_reason is None,
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
