"""How the paper venue fills: the next bar's open, moved by slippage, plus a commission."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from trading_services.trading_strategy.broker import Fill, OrderRequest, Side

BASIS_POINT = Decimal("0.0001")
PRICE_STEP = Decimal("0.000001")
MONEY_STEP = Decimal("0.000001")


@dataclass(frozen=True)
class CostModel:
    """What a fill costs: commission and slippage in basis points, and a lowest commission."""

    commission_bps: Decimal = Decimal("1")
    slippage_bps: Decimal = Decimal("2")
    minimum_commission: Decimal = Decimal("0")


@dataclass(frozen=True)
class NextBar:
    """The first bar after the one on which an order was decided."""

    time: datetime
    open: Decimal


def build_fill(request: OrderRequest, bar: NextBar, costs: CostModel) -> Fill:
    """Return the execution of a market order at the open of `bar`, always against the trader."""
    price = build_fill_price(request.side, bar.open, costs)
    notional = price * request.shares
    commission = max(notional * costs.commission_bps * BASIS_POINT, costs.minimum_commission)
    return Fill(
        fill_id=f"fill-{request.client_order_id}",
        client_order_id=request.client_order_id,
        price=price,
        shares=request.shares,
        cost=commission.quantize(MONEY_STEP, ROUND_HALF_EVEN),
        filled_at=bar.time,
    )


def build_fill_price(side: Side, opening: Decimal, costs: CostModel) -> Decimal:
    """Return the opening price moved by the slippage, rounded against the trader."""
    moved = opening * (1 + side.sign * costs.slippage_bps * BASIS_POINT)
    return moved.quantize(PRICE_STEP, ROUND_CEILING if side is Side.BUY else ROUND_FLOOR)
