"""Journal against venue: the union of both decides what is taken over, sent again or a mismatch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trading_services.trading_strategy.book import (
    Book,
    Intent,
    Market,
    Order,
    OrderState,
    build_book_after_fill,
)
from trading_services.trading_strategy.broker import Fill, VenueOrder, VenueStatus


@dataclass(frozen=True)
class JournalEntry:
    """An order as the journal holds it; `age` is the seconds since it was journaled."""

    order: Order
    age: float
    fill: Fill | None = None


class Step(StrEnum):
    """What is done with one order to make journal and venue agree."""

    ADOPT = "Adopt"
    SEND = "Send"
    CANCEL = "Cancel"


@dataclass(frozen=True)
class Action:
    """A step with the order, and what the venue says of it when it is adopted."""

    step: Step
    order: Order
    found: VenueOrder | None = None
    reason: str = ""


@dataclass(frozen=True)
class Mismatch:
    """An order on which journal and venue contradict each other."""

    kind: str
    client_order_id: str

    def __str__(self) -> str:
        """Return the kind and the order, as logs and the halt's reason say it."""
        return f"{self.kind}({self.client_order_id})"


@dataclass(frozen=True)
class Reconciliation:
    """The outcome: with any mismatch no action may be taken."""

    actions: tuple[Action, ...]
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True)
class SendRules:
    """Which unsent intents may still be sent."""

    valid_seconds: float | None
    entries_allowed: bool
    exits_allowed: bool = True


FINAL_STATES: Mapping[VenueStatus, OrderState] = {
    VenueStatus.FILLED: OrderState.FILLED,
    VenueStatus.REJECTED: OrderState.REJECTED,
    VenueStatus.CANCELLED: OrderState.CANCELLED,
}


def plan_reconciliation(
    journal: Sequence[JournalEntry], venue: Sequence[VenueOrder], rules: SendRules
) -> Reconciliation:
    """Compare every order of either side; an order of the venue that we do not know is a mismatch.

    An intent that the venue does not have is sent again while it is valid: not older than
    `valid_seconds`, and no entry or exit while those are not allowed. Else it is cancelled.
    """
    known = {entry.order.request.client_order_id for entry in journal}
    at_venue = {order.request.client_order_id: order for order in venue}
    outcomes: list[Action | Mismatch | None] = [
        _compare(entry, at_venue.get(entry.order.request.client_order_id), rules)
        for entry in journal
    ]
    outcomes += [Mismatch("UnknownToJournal", name) for name in at_venue if name not in known]
    return Reconciliation(
        actions=tuple(each for each in outcomes if isinstance(each, Action)),
        mismatches=tuple(each for each in outcomes if isinstance(each, Mismatch)),
    )


def build_book(
    market: Market, entries: Iterable[JournalEntry], last_bar: datetime | None, bars_held: int
) -> Book:
    """Rebuild a market's book from its fills and its working order, in the order of their bars.

    Raises BookMismatchError when the fills cannot have happened one after the other.
    """
    book = Book(market=market)
    for entry in entries:
        if entry.fill is not None:
            book = build_book_after_fill(book, entry.order, entry.fill)
    working = next((entry.order for entry in entries if entry.order.state.is_open), None)
    return Book(
        market=market,
        position=book.position,
        realised=book.realised,
        bars_held=bars_held if book.position else 0,
        last_bar=last_bar,
        working=working,
    )


def _compare(
    entry: JournalEntry, found: VenueOrder | None, rules: SendRules
) -> Action | Mismatch | None:
    if found is None:
        return _compare_absent(entry, rules)
    name = entry.order.request.client_order_id
    if found.request != entry.order.request:
        return Mismatch("OrdersDiffer", name)
    if entry.order.state.is_open:
        return Action(Step.ADOPT, entry.order, found)
    if FINAL_STATES.get(found.status) is not entry.order.state:
        return Mismatch("StatesDiffer", name)
    return Mismatch("FillsDiffer", name) if found.fill != entry.fill else None


def _compare_absent(entry: JournalEntry, rules: SendRules) -> Action | Mismatch | None:
    state = entry.order.state
    if state in (OrderState.INTENT, OrderState.SENT):
        reason = _find_expiry(entry, rules)
        if reason is None:
            return Action(Step.SEND, entry.order)
        return Action(Step.CANCEL, entry.order, reason=reason)
    if state in (OrderState.ACCEPTED, OrderState.FILLED):
        return Mismatch("MissingAtVenue", entry.order.request.client_order_id)
    return None


def _find_expiry(entry: JournalEntry, rules: SendRules) -> str | None:
    if entry.order.intent is Intent.ENTRY and not rules.entries_allowed:
        return "EntriesNotAllowed"
    if entry.order.intent is Intent.EXIT and not rules.exits_allowed:
        return "ExitsNotAllowed"
    if rules.valid_seconds is not None and entry.age > rules.valid_seconds:
        return "IntentExpired"
    return None
