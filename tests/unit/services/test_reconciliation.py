"""Journal against venue: the union is compared, and every contradiction is a mismatch."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from trading_services.trading_strategy.book import (
    Book,
    BookMismatchError,
    Intent,
    Market,
    Order,
    OrderState,
    Protection,
    build_book_after_fill,
)
from trading_services.trading_strategy.broker import (
    Fill,
    OrderRequest,
    Side,
    VenueOrder,
    VenueStatus,
)
from trading_services.trading_strategy.reconciliation import (
    JournalEntry,
    Mismatch,
    SendRules,
    Step,
    build_book,
    plan_reconciliation,
)

MOMENT = datetime(2012, 1, 2, 5, tzinfo=UTC)
REQUEST = OrderRequest("to-1", "IBM", "1d", Side.BUY, Decimal(10), MOMENT)
ENTRY = Order(
    request=REQUEST,
    intent=Intent.ENTRY,
    position_id="pos-to-1",
    reason="SignalStrong",
    conviction=0.5,
    strength=0.1,
    protection=Protection(Decimal(96), Decimal(108), Decimal(40)),
)
EXIT = replace(
    ENTRY,
    request=replace(REQUEST, client_order_id="to-2", side=Side.SELL),
    intent=Intent.EXIT,
    protection=None,
)
FILL = Fill("fill-1", "to-1", Decimal(100), Decimal(10), Decimal(1), MOMENT)
EXIT_FILL = Fill("fill-2", "to-2", Decimal(110), Decimal(10), Decimal(2), MOMENT)
ALWAYS = SendRules(valid_seconds=None, entries_allowed=True)


def _journal(state: OrderState, fill: Fill | None = None, age: float = 0.0) -> JournalEntry:
    return JournalEntry(replace(ENTRY, state=state), age, fill)


def _venue(status: VenueStatus, fill: Fill | None = None) -> VenueOrder:
    return VenueOrder(REQUEST, "paper-1", status, None, fill)


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SENT, OrderState.ACCEPTED])
@pytest.mark.parametrize("status", list(VenueStatus))
def test_what_the_venue_says_of_an_open_order_is_adopted(
    state: OrderState, status: VenueStatus
) -> None:
    found = _venue(status, FILL if status is VenueStatus.FILLED else None)
    plan = plan_reconciliation([_journal(state)], [found], ALWAYS)
    assert plan.mismatches == ()
    assert [(action.step, action.found) for action in plan.actions] == [(Step.ADOPT, found)]


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SENT])
@pytest.mark.parametrize(
    ("rules", "step", "reason"),
    [
        (ALWAYS, Step.SEND, ""),
        (SendRules(60, True), Step.CANCEL, "IntentExpired"),
        (SendRules(200, True), Step.SEND, ""),
        (SendRules(None, False), Step.CANCEL, "EntriesNotAllowed"),
    ],
)
def test_an_intent_that_the_venue_lacks_is_sent_while_it_is_valid_else_cancelled(
    state: OrderState, rules: SendRules, step: Step, reason: str
) -> None:
    plan = plan_reconciliation([_journal(state, age=120)], [], rules)
    assert [(action.step, action.reason) for action in plan.actions] == [(step, reason)]


def test_an_exit_is_sent_even_when_entries_are_not_allowed() -> None:
    plan = plan_reconciliation([JournalEntry(EXIT, 0.0)], [], SendRules(None, False))
    assert [action.step for action in plan.actions] == [Step.SEND]


@pytest.mark.parametrize(
    ("journal", "venue", "kind"),
    [
        ([], [_venue(VenueStatus.ACCEPTED)], "UnknownToJournal"),
        ([_journal(OrderState.ACCEPTED)], [], "MissingAtVenue"),
        ([_journal(OrderState.FILLED, FILL)], [], "MissingAtVenue"),
        (
            [_journal(OrderState.CANCELLED)],
            [_venue(VenueStatus.FILLED, FILL)],
            "StatesDiffer",
        ),
        ([_journal(OrderState.CANCELLED)], [_venue(VenueStatus.ACCEPTED)], "StatesDiffer"),
        ([_journal(OrderState.FILLED, FILL)], [_venue(VenueStatus.CANCELLED)], "StatesDiffer"),
        (
            [_journal(OrderState.FILLED, FILL)],
            [_venue(VenueStatus.FILLED, replace(FILL, price=Decimal(99)))],
            "FillsDiffer",
        ),
        (
            [_journal(OrderState.SENT)],
            [replace(_venue(VenueStatus.ACCEPTED), request=replace(REQUEST, shares=Decimal(11)))],
            "OrdersDiffer",
        ),
    ],
)
def test_every_contradiction_is_a_mismatch(
    journal: list[JournalEntry], venue: list[VenueOrder], kind: str
) -> None:
    plan = plan_reconciliation(journal, venue, ALWAYS)
    assert plan.mismatches == (Mismatch(kind, "to-1"),)
    assert plan.actions == ()


@pytest.mark.parametrize(
    ("journal", "venue"),
    [
        ([], []),
        ([_journal(OrderState.FILLED, FILL)], [_venue(VenueStatus.FILLED, FILL)]),
        ([_journal(OrderState.CANCELLED)], [_venue(VenueStatus.CANCELLED)]),
        ([_journal(OrderState.CANCELLED)], []),
        ([_journal(OrderState.REJECTED)], [_venue(VenueStatus.REJECTED)]),
    ],
)
def test_where_both_agree_nothing_is_done(
    journal: list[JournalEntry], venue: list[VenueOrder]
) -> None:
    plan = plan_reconciliation(journal, venue, ALWAYS)
    assert (plan.actions, plan.mismatches) == ((), ())


def test_a_book_is_rebuilt_from_its_fills_and_its_working_order() -> None:
    market = Market("IBM", "1d")
    closed = [
        JournalEntry(replace(ENTRY, state=OrderState.FILLED), 0, FILL),
        JournalEntry(replace(EXIT, state=OrderState.FILLED), 0, EXIT_FILL),
    ]
    book = build_book(market, closed, MOMENT, 7)
    assert book == Book(market, None, Decimal(97), 0, MOMENT, None)
    held = build_book(market, [closed[0], JournalEntry(EXIT, 0)], MOMENT, 7)
    assert held.position is not None
    assert (held.position.shares, held.bars_held, held.working) == (Decimal(10), 7, EXIT)


def test_fills_that_cannot_follow_one_another_are_refused() -> None:
    with pytest.raises(BookMismatchError, match="does not fit"):
        build_book_after_fill(Book(Market("IBM", "1d")), EXIT, EXIT_FILL)
    opened = build_book_after_fill(Book(Market("IBM", "1d")), ENTRY, FILL)
    with pytest.raises(BookMismatchError, match="open book"):
        build_book_after_fill(opened, ENTRY, FILL)
    with pytest.raises(BookMismatchError, match="does not fit"):
        build_book_after_fill(opened, EXIT, replace(EXIT_FILL, shares=Decimal(9)))
