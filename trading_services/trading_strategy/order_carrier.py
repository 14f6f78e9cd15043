"""Carries one order between journal and venue; each step may be the last before a crash."""

from dataclasses import replace

from trading_services.contract.logs import get_logger
from trading_services.trading_strategy.book import (
    Book,
    BookMismatchError,
    Intent,
    Order,
    OrderState,
    build_book_after_fill,
    build_book_without_order,
)
from trading_services.trading_strategy.broker import (
    Broker,
    DuplicateOrder,
    VenueOrder,
    VenueStatus,
)
from trading_services.trading_strategy.journal import FilledOrder, Journal
from trading_services.trading_strategy.reconciliation import FINAL_STATES, Action, Step

_log = get_logger(__name__)


class OrderCarrier:
    """Sends journaled orders and journals what became of them."""

    def __init__(self, journal: Journal, broker: Broker) -> None:
        """Keep both ends."""
        self._journal = journal
        self._broker = broker

    def send(self, book: Book, order: Order) -> Book:
        """Send an order whose intent is journaled; a crash at any point leaves it findable."""
        name = order.request.client_order_id
        self._journal.write_state(name, OrderState.SENT)
        try:
            placed = self._broker.submit(order.request)
        except DuplicateOrder as answer:
            # An earlier send of ours arrived although its answer did not.
            placed = answer.existing
        _log.info(
            "order sent",
            order_id=name,
            symbol=order.request.symbol,
            side=order.request.side,
            shares=order.request.shares,
            intent=order.intent,
            status=placed.status,
        )
        return self.adopt(book, order, placed)

    def settle(self, book: Book, *, cancel: bool) -> Book:
        """Ask the venue for the working order and journal its answer; optionally cancel it.

        Raises BookMismatchError if the venue does not know an order that it once took.
        """
        order = book.working
        if order is None:
            return book
        name = order.request.client_order_id
        found = self._broker.cancel(name) if cancel else self._broker.read_order(name)
        if found is None:
            raise BookMismatchError(f"{name}: the venue took this order and now has none")
        return self.adopt(book, order, found)

    def carry_out(self, action: Action, book: Book) -> Book:
        """Do what the reconciliation found for one order."""
        if action.step is Step.ADOPT and action.found is not None:
            return self.adopt(book, action.order, action.found)
        if action.step is Step.CANCEL:
            return self._cancel_unsent(book, action.order, action.reason)
        return self.send(book, action.order)

    def adopt(self, book: Book, order: Order, found: VenueOrder) -> Book:
        """Journal what the venue says of an order and return the book that follows from it."""
        if found.request != order.request:
            raise BookMismatchError(f"{order.request.client_order_id}: the venue's order differs")
        if found.fill is not None:
            return self._adopt_fill(book, order, FilledOrder(found.venue_order_id, found.fill))
        state = FINAL_STATES.get(found.status, OrderState.ACCEPTED)
        if state is not order.state:
            self._journal.write_state(
                order.request.client_order_id, state, found.venue_order_id, found.reason
            )
        if found.status is VenueStatus.ACCEPTED:
            return replace(book, working=replace(order, state=state))
        return build_book_without_order(book)

    def _adopt_fill(self, book: Book, order: Order, found: FilledOrder) -> Book:
        fill = found.fill
        after = build_book_after_fill(book, order, fill)
        if order.intent is Intent.ENTRY and after.position is not None:
            self._journal.write_entry_fill(order, found, after.position)
        elif book.position is not None:
            self._journal.write_exit_fill(order, found, book.position)
        _log.info(
            "order filled",
            order_id=fill.client_order_id,
            symbol=order.request.symbol,
            intent=order.intent,
            price=fill.price,
            shares=fill.shares,
            cost=fill.cost,
        )
        return after

    def _cancel_unsent(self, book: Book, order: Order, reason: str) -> Book:
        name = order.request.client_order_id
        self._journal.write_state(name, OrderState.CANCELLED, note=reason)
        _log.warning("unsent order cancelled", order_id=name, reason=reason)
        return build_book_without_order(book)
