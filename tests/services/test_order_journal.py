"""The journal: what it writes is one transaction and holds only with the newest token."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import psycopg2
import pytest

from trading_services.database.connection import Database
from trading_services.trading_strategy.book import (
    Bar,
    Book,
    Intent,
    Market,
    Order,
    OrderState,
    Protection,
    build_book_after_fill,
)
from trading_services.trading_strategy.broker import Fill, OrderRequest, Side
from trading_services.trading_strategy.decisions import Decision
from trading_services.trading_strategy.journal import FenceLostError, FilledOrder, Journal

MARKET = Market("IBM", "1d")
BAR = Bar(datetime(2012, 1, 2, 5, tzinfo=UTC), *(Decimal(100),) * 4)
ENTRY = Order(
    request=OrderRequest("to-1", "IBM", "1d", Side.BUY, Decimal(10), BAR.time),
    intent=Intent.ENTRY,
    position_id="pos-to-1",
    reason="SignalStrong",
    conviction=0.5,
    strength=0.1,
    protection=Protection(Decimal(96), Decimal(108), Decimal(40)),
)
DECISION = Decision(0.1, "SignalStrong", ENTRY)


def _open(database: Database, holder: str) -> Journal:
    return Journal(database.connect, "momentum", holder)


@pytest.fixture
def journal(database: Database) -> Iterator[Journal]:
    opened = _open(database, "first")
    opened.acquire()
    yield opened
    opened.close()


def _count(database: Database, table: str) -> int:
    return int(database.query(f"SELECT count(*) FROM {table}")[0][0])


def test_every_takeover_raises_the_token(database: Database) -> None:
    journals = [_open(database, f"holder-{number}") for number in range(3)]
    assert [journal.acquire() for journal in journals] == [1, 2, 3]
    assert journals[2].acquire() == 3
    with pytest.raises(FenceLostError, match="holder-2 holds the fence"):
        journals[0].acquire()
    for journal in journals:
        journal.close()


def test_a_former_holder_can_write_nothing(journal: Journal, database: Database) -> None:
    journal.write_decision(MARKET, BAR, "model", 0.55, DECISION)
    other = _open(database, "second")
    other.acquire()
    later = replace(BAR, time=datetime(2012, 1, 3, 5, tzinfo=UTC))
    with pytest.raises(FenceLostError):
        journal.write_decision(MARKET, later, "model", 0.5, Decision(0.0, "SignalWeak"))
    with pytest.raises(FenceLostError):
        journal.write_state("to-1", OrderState.SENT)
    assert other.read_progress() == {MARKET: BAR.time}
    assert [entry.order.state for entry in other.read_entries()] == [OrderState.INTENT]
    other.close()


def test_a_decision_its_order_and_the_progress_are_written_together_or_not_at_all(
    journal: Journal, database: Database
) -> None:
    journal.write_decision(MARKET, BAR, "model", 0.55, DECISION)
    later = replace(BAR, time=datetime(2012, 1, 3, 5, tzinfo=UTC))
    with pytest.raises(psycopg2.errors.UniqueViolation):
        journal.write_decision(MARKET, later, "model", 0.55, DECISION)
    assert journal.read_progress() == {MARKET: BAR.time}
    assert _count(database, "signals") == 1
    assert [entry.order for entry in journal.read_entries()] == [ENTRY]


def test_a_fill_opens_the_position_once_however_often_it_is_journaled(
    journal: Journal, database: Database
) -> None:
    journal.write_decision(MARKET, BAR, "model", 0.55, DECISION)
    moment = datetime(2012, 1, 3, 5, tzinfo=UTC)
    fill = Fill("fill-1", "to-1", Decimal(101), Decimal(10), Decimal("0.1"), moment)
    book = build_book_after_fill(Book(MARKET), ENTRY, fill)
    assert book.position is not None
    for _ in range(2):
        journal.write_entry_fill(ENTRY, FilledOrder("paper-1", fill), book.position)
    assert [entry.fill for entry in journal.read_entries()] == [fill]
    row = database.query(
        "SELECT shares, position_value, risk_amount, status, strategy, conviction_score, "
        "signal_strength, stop_price, target_price FROM positions"
    )
    assert row == [(10, 1010, 40, "Open", "momentum", Decimal("0.5"), Decimal("0.1"), 96, 108)]
