"""How many shares an entry takes: bounded by the money at risk and by the position's value."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from trading_services.trading_strategy.book import MONEY_STEP, Protection
from trading_services.trading_strategy.config import RiskRules

PRICE_STEP = Decimal("0.000001")


@dataclass(frozen=True)
class Size:
    """The shares of an entry (positive) and what protects them."""

    shares: Decimal
    protection: Protection


def build_size(
    price: Decimal, direction: int, equity: Decimal, conviction: float, rules: RiskRules
) -> Size | None:
    """Return the size of an entry at `price`, or None when not even one lot is affordable.

    `direction` is +1 or -1, `conviction` lies in [0, 1] and scales the money at risk.
    """
    if not price.is_finite() or price <= 0 or equity <= 0:
        return None
    distance = price * rules.stop_fraction
    budget = equity * rules.risk_per_trade * Decimal(repr(conviction))
    affordable = equity * rules.max_position_fraction / price
    shares = _floor_to_lot(min(budget / distance, affordable), rules.lot_size)
    if shares <= 0:
        return None
    return Size(shares, _build_protection(price, direction, shares, rules))


def _build_protection(
    price: Decimal, direction: int, shares: Decimal, rules: RiskRules
) -> Protection:
    stop = price * (1 - direction * rules.stop_fraction)
    target = price * (1 + direction * rules.target_fraction)
    return Protection(
        stop_price=stop.quantize(PRICE_STEP, ROUND_HALF_EVEN),
        target_price=target.quantize(PRICE_STEP, ROUND_HALF_EVEN),
        risk_amount=(shares * price * rules.stop_fraction).quantize(MONEY_STEP, ROUND_HALF_EVEN),
    )


def _floor_to_lot(shares: Decimal, lot: Decimal) -> Decimal:
    return (shares / lot).to_integral_value(ROUND_FLOOR) * lot
