"""What one market's book holds, and how decisions and fills change it; all of it immutable."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from trading_services.trading_strategy.broker import Fill, OrderRequest

MONEY_STEP = Decimal("0.000001")


class Intent(StrEnum):
    """What an order does to the position: an Exit only ever reduces it."""

    ENTRY = "Entry"
    EXIT = "Exit"


class OrderState(StrEnum):
    """Where an order is between the journal and the venue."""

    INTENT = "Intent"
    SENT = "Sent"
    ACCEPTED = "Accepted"
    FILLED = "Filled"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"

    @property
    def is_open(self) -> bool:
        """Whether the order may still be filled."""
        return self in (OrderState.INTENT, OrderState.SENT, OrderState.ACCEPTED)


@dataclass(frozen=True, order=True)
class Market:
    """One symbol in one timeframe: the unit that has a book of its own."""

    symbol: str
    timeframe: str


@dataclass(frozen=True)
class Bar:
    """One finished bar; `time` is UTC."""

    time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True)
class Protection:
    """What an entry risks: the prices at which it is closed and the money between."""

    stop_price: Decimal
    target_price: Decimal
    risk_amount: Decimal


@dataclass(frozen=True)
class Order:
    """A journaled order; `protection` is there for entries, `position_id` is what it opens."""

    request: OrderRequest
    intent: Intent
    position_id: str
    reason: str
    conviction: float
    strength: float
    protection: Protection | None = None
    state: OrderState = OrderState.INTENT

    @property
    def market(self) -> Market:
        """The market whose book this order changes."""
        return Market(self.request.symbol, self.request.timeframe)


@dataclass(frozen=True)
class Position:
    """An open position; `shares` is negative for a short one."""

    position_id: str
    shares: Decimal
    entry_price: Decimal
    entry_cost: Decimal
    entry_time: datetime
    protection: Protection

    @property
    def direction(self) -> int:
        """+1 for a long position, -1 for a short one."""
        return 1 if self.shares > 0 else -1


@dataclass(frozen=True)
class Book:
    """All that a decision may depend on besides the bar and its score."""

    market: Market
    position: Position | None = None
    realised: Decimal = Decimal(0)
    bars_held: int = 0
    last_bar: datetime | None = None
    working: Order | None = None


class BookMismatchError(Exception):
    """A fill does not fit the book it is to change."""


def build_book_after_decision(book: Book, bar: Bar, order: Order | None) -> Book:
    """Return the book once `bar` is decided and `order`, if any, is journaled."""
    held = book.bars_held + 1 if book.position else 0
    return replace(book, last_bar=bar.time, working=order, bars_held=held)


def build_book_after_fill(book: Book, order: Order, fill: Fill) -> Book:
    """Return the book once `order` is filled; raises BookMismatchError if it cannot be."""
    if order.intent is Intent.ENTRY:
        return replace(book, position=_build_position(book, order, fill), working=None, bars_held=0)
    profit = build_profit(_closing_position(book, order, fill), fill)
    return replace(book, position=None, working=None, bars_held=0, realised=book.realised + profit)


def build_book_without_order(book: Book) -> Book:
    """Return the book once its working order was rejected or cancelled."""
    return replace(book, working=None)


def build_profit(position: Position, fill: Fill) -> Decimal:
    """Return what closing `position` with `fill` earned after the costs of both ways."""
    gross = (fill.price - position.entry_price) * position.shares
    return (gross - position.entry_cost - fill.cost).quantize(MONEY_STEP, ROUND_HALF_EVEN)


def _build_position(book: Book, order: Order, fill: Fill) -> Position:
    if book.position is not None or order.protection is None:
        raise BookMismatchError(f"{fill.client_order_id}: an entry was filled into an open book")
    return Position(
        position_id=order.position_id,
        shares=fill.shares * order.request.side.sign,
        entry_price=fill.price,
        entry_cost=fill.cost,
        entry_time=fill.filled_at,
        protection=order.protection,
    )


def _closing_position(book: Book, order: Order, fill: Fill) -> Position:
    position = book.position
    closes = position is not None and position.shares == -fill.shares * order.request.side.sign
    if position is None or not closes:
        raise BookMismatchError(f"{fill.client_order_id}: an exit does not fit the position")
    return position
