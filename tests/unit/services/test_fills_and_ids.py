"""Fills cost what the model says, always against the trader; ids are one to one with decisions."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trading_services.paper_broker.fills import CostModel, NextBar, build_fill
from trading_services.trading_strategy.broker import OrderRequest, Side
from trading_services.trading_strategy.order_ids import OrderKey, build_client_order_id

MOMENT = datetime(2012, 1, 2, 5, tzinfo=UTC)
PRICES = st.decimals("0.01", "100000", places=4)
SHARES = st.decimals("1", "100000", places=0)
BPS = st.decimals("0", "100", places=1)
TEXT = st.text(alphabet="ab:1|-/", max_size=6)
KEYS = st.builds(
    OrderKey,
    system=TEXT,
    strategy=TEXT,
    symbol=TEXT,
    timeframe=TEXT,
    bar_time=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001
        lambda naive: naive.replace(tzinfo=UTC)
    ),
    intent=TEXT,
    sequence=st.integers(0, 5),
)


def _order(side: Side, shares: Decimal) -> OrderRequest:
    return OrderRequest("to-1", "IBM", "1d", side, shares, MOMENT)


@given(PRICES, SHARES, BPS, BPS)
def test_slippage_and_commission_are_always_paid_by_the_trader(
    opening: Decimal, shares: Decimal, commission: Decimal, slippage: Decimal
) -> None:
    costs = CostModel(commission, slippage)
    bar = NextBar(MOMENT, opening)
    bought = build_fill(_order(Side.BUY, shares), bar, costs)
    sold = build_fill(_order(Side.SELL, shares), bar, costs)
    assert sold.price <= opening <= bought.price
    step = Decimal("0.000001")
    assert bought.price - opening <= opening * slippage * Decimal("0.0001") + step
    assert abs(bought.cost - bought.price * shares * commission * Decimal("0.0001")) <= step
    assert sold.cost >= 0


def test_a_fill_takes_the_bar_of_its_time_and_the_minimum_commission() -> None:
    costs = CostModel(Decimal(1), Decimal(2), minimum_commission=Decimal(5))
    fill = build_fill(_order(Side.SELL, Decimal(10)), NextBar(MOMENT, Decimal(100)), costs)
    assert (fill.price, fill.cost, fill.shares) == (Decimal("99.98"), Decimal(5), Decimal(10))
    assert (fill.filled_at, fill.fill_id) == (MOMENT, "fill-to-1")


@given(KEYS, KEYS)
def test_two_decisions_share_an_id_only_if_they_are_the_same(a: OrderKey, b: OrderKey) -> None:
    assert (build_client_order_id(a) == build_client_order_id(b)) is (a == b)


@given(KEYS)
def test_every_part_of_the_key_changes_the_id(key: OrderKey) -> None:
    names = [field.name for field in fields(OrderKey)]
    others = [replace(key, **{name: _change(getattr(key, name))}) for name in names]
    ids = {build_client_order_id(each) for each in [key, *others]}
    assert len(ids) == len(names) + 1


def test_an_id_fits_what_brokers_take_and_knows_no_time_zone() -> None:
    key = OrderKey("system", "momentum", "IBM", "1d", MOMENT, "Entry", 0)
    elsewhere = replace(key, bar_time=MOMENT.astimezone(timezone(timedelta(hours=-5))))
    assert build_client_order_id(key) == build_client_order_id(elsewhere)
    assert len(build_client_order_id(key)) <= 48


def _change(value: Any) -> Any:
    if isinstance(value, datetime):
        return value + timedelta(seconds=1)
    return value + 1 if isinstance(value, int) else f"{value}x"
