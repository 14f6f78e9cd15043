"""Sizes: never more risk, value or shares than the rules allow, always whole lots."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_services.trading_strategy.config import RiskRules
from trading_services.trading_strategy.sizing import build_size

PRICES = st.decimals("0.01", "100000", places=4)
EQUITIES = st.decimals("1", "10000000", places=2)
CONVICTIONS = st.floats(0, 1)
FRACTIONS = st.decimals("0.001", "1", places=3)
LOTS = st.sampled_from([Decimal("0.01"), Decimal(1), Decimal(100)])
RULES = st.builds(
    RiskRules,
    risk_per_trade=FRACTIONS,
    max_position_fraction=FRACTIONS,
    stop_fraction=FRACTIONS,
    target_fraction=FRACTIONS,
    lot_size=LOTS,
)


@given(PRICES, st.sampled_from([1, -1]), EQUITIES, CONVICTIONS, RULES)
def test_a_size_respects_every_bound(
    price: Decimal, direction: int, equity: Decimal, conviction: float, rules: RiskRules
) -> None:
    size = build_size(price, direction, equity, conviction, rules)
    if size is None:
        return
    step = Decimal("0.000001")
    assert size.shares > 0
    assert size.shares % rules.lot_size == 0
    assert size.shares * price <= equity * rules.max_position_fraction + step
    assert size.protection.risk_amount <= equity * rules.risk_per_trade + step
    assert direction * (price - size.protection.stop_price) >= -step
    assert direction * (size.protection.target_price - price) >= -step


@given(PRICES, EQUITIES, CONVICTIONS, CONVICTIONS, RULES)
def test_more_conviction_never_takes_fewer_shares(
    price: Decimal, equity: Decimal, low: float, high: float, rules: RiskRules
) -> None:
    weaker = build_size(price, 1, equity, min(low, high), rules)
    stronger = build_size(price, 1, equity, max(low, high), rules)
    assert (stronger.shares if stronger else 0) >= (weaker.shares if weaker else 0)


@given(PRICES, EQUITIES, RULES)
def test_none_is_returned_only_when_one_lot_is_too_much(
    price: Decimal, equity: Decimal, rules: RiskRules
) -> None:
    if build_size(price, 1, equity, 1.0, rules) is None:
        lot_value = rules.lot_size * price
        too_dear = lot_value > equity * rules.max_position_fraction
        too_risky = lot_value * rules.stop_fraction > equity * rules.risk_per_trade
        assert too_dear or too_risky


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-1"])
def test_a_price_that_is_none_buys_nothing(price: str) -> None:
    assert build_size(Decimal(price), 1, Decimal(1000), 1.0, RiskRules()) is None


def test_lost_capital_buys_nothing() -> None:
    assert build_size(Decimal(10), 1, Decimal(0), 1.0, RiskRules()) is None
    assert build_size(Decimal(10), 1, Decimal(-5), 1.0, RiskRules()) is None
