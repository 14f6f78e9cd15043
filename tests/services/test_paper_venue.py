"""The paper venue: durable, fills at the next open, and refuses a used client order id."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg2
import pytest

from services.trading_world import write_bars
from trading_services.database.connection import Database
from trading_services.market_data.bars import Bar
from trading_services.paper_broker.fills import CostModel
from trading_services.paper_broker.venue import PaperBroker
from trading_services.trading_strategy.broker import (
    BrokerError,
    DuplicateOrder,
    OrderRequest,
    Side,
    StaleWriter,
    VenueStatus,
)

DAY = timedelta(days=1)
MONDAY = datetime(2012, 1, 2, 5, tzinfo=UTC)
COSTS = {"1d": CostModel(Decimal(1), Decimal(2))}
ORDER = OrderRequest("to-1", "IBM", "1d", Side.BUY, Decimal(10), MONDAY)


def _bar(day: int, opening: float) -> Bar:
    moment = MONDAY + day * DAY
    return Bar("IBM", moment, opening, opening + 1, opening - 1, opening, 1000.0, "1d", "test")


@pytest.fixture
def venue(database: Database) -> Iterator[PaperBroker]:
    broker = PaperBroker(database.connect, "account", COSTS)
    broker.claim(1)
    yield broker
    broker.close()


@pytest.mark.acceptance("A12", "A33")
def test_an_order_waits_for_the_next_bar_and_fills_at_its_open_with_slippage_and_commission(
    venue: PaperBroker, database: Database
) -> None:
    write_bars(database, [_bar(0, 99.0)])
    placed = venue.submit(ORDER)
    waiting = venue.read_order("to-1")
    write_bars(database, [_bar(1, 100.0), _bar(2, 120.0)])
    filled = venue.read_order("to-1")
    assert placed.status is VenueStatus.ACCEPTED
    assert waiting is not None
    assert waiting.fill is None
    assert filled is not None
    assert filled.fill is not None
    assert filled.fill.price == Decimal("100.02")
    assert filled.fill.cost == Decimal("0.10002")
    assert filled.fill.filled_at == MONDAY + DAY


def test_a_used_client_order_id_is_refused_with_the_order_that_took_it(
    venue: PaperBroker,
) -> None:
    first = venue.submit(ORDER)
    with pytest.raises(DuplicateOrder) as refused:
        venue.submit(replace(ORDER, shares=Decimal(99)))
    assert refused.value.existing == first
    assert [order.request.shares for order in venue.read_orders()] == [Decimal(10)]


def test_orders_outlive_the_connection_and_belong_to_their_account(
    venue: PaperBroker, database: Database
) -> None:
    venue.submit(ORDER)
    again = PaperBroker(database.connect, "account", COSTS)
    other = PaperBroker(database.connect, "other", COSTS)
    assert [order.request for order in again.read_orders()] == [ORDER]
    assert list(other.read_orders()) == []
    again.close()
    other.close()


def test_a_writer_with_an_older_token_can_neither_claim_nor_send(
    venue: PaperBroker, database: Database
) -> None:
    newer = PaperBroker(database.connect, "account", COSTS)
    newer.claim(2)
    with pytest.raises(StaleWriter):
        venue.submit(ORDER)
    with pytest.raises(StaleWriter):
        venue.claim(1)
    assert list(newer.read_orders()) == []
    newer.close()


def test_a_cancelled_order_never_fills_and_a_filled_one_cannot_be_cancelled(
    venue: PaperBroker, database: Database
) -> None:
    venue.submit(ORDER)
    cancelled = venue.cancel("to-1")
    write_bars(database, [_bar(1, 100.0)])
    later = venue.read_order("to-1")
    venue.submit(replace(ORDER, client_order_id="to-2"))
    venue.read_order("to-2")
    filled = venue.cancel("to-2")
    assert cancelled is not None
    assert cancelled.status is VenueStatus.CANCELLED
    assert later == cancelled
    assert filled is not None
    assert filled.status is VenueStatus.FILLED


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (replace(ORDER, shares=Decimal(0)), "SharesNotPositive"),
        (replace(ORDER, shares=Decimal("NaN")), "SharesNotPositive"),
        (replace(ORDER, timeframe="5m"), "TimeframeNotOffered"),
    ],
)
def test_an_order_that_makes_no_sense_is_rejected_with_the_reason(
    venue: PaperBroker, order: OrderRequest, reason: str
) -> None:
    rejected = venue.submit(order)
    assert (rejected.status, rejected.reason) == (VenueStatus.REJECTED, reason)


def test_a_lost_connection_is_a_broker_error_and_the_next_call_connects_again(
    venue: PaperBroker, database: Database
) -> None:
    venue.submit(ORDER)
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(BrokerError, match="did not answer") as failure:
        venue.read_orders()
    assert isinstance(failure.value.__cause__, psycopg2.OperationalError)
    assert [order.request for order in venue.read_orders()] == [ORDER]
