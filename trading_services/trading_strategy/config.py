"""strategy_config.json: when to trade, how much to risk, what the paper venue charges."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[Decimal, Field(gt=0, le=1)]
BasisPoints = Annotated[Decimal, Field(ge=0, le=1000)]
Timeframe = Annotated[str, Field(min_length=1, max_length=16, pattern="^[0-9]+[a-zA-Z]+$")]


class SignalRules(BaseModel):
    """When a score becomes an order; a strength is 2p - 1 of the probability p of a rise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry_strength: Annotated[float, Field(gt=0, lt=1)] = 0.03
    exit_strength: Annotated[float, Field(ge=0, lt=1)] = 0.02
    full_conviction_strength: Annotated[float, Field(gt=0, le=1)] = 0.15
    max_holding_bars: Annotated[int, Field(ge=1, le=10_000)] = 20
    allow_short: bool = True


class RiskRules(BaseModel):
    """How much one position may risk of the capital that its symbol has been allotted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capital_per_symbol: Annotated[Decimal, Field(gt=0)] = Decimal(100_000)
    risk_per_trade: Fraction = Decimal("0.01")
    max_position_fraction: Fraction = Decimal("0.5")
    stop_fraction: Fraction = Decimal("0.04")
    target_fraction: Fraction = Decimal("0.08")
    lot_size: Annotated[Decimal, Field(gt=0)] = Decimal(1)


class PaperVenueRules(BaseModel):
    """What the paper venue charges for every fill of a timeframe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commission_bps: BasisPoints = Decimal(1)
    slippage_bps: BasisPoints = Decimal(2)
    minimum_commission: Annotated[Decimal, Field(ge=0)] = Decimal(0)


class TradingRules(BaseModel):
    """The rules of one timeframe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signals: SignalRules = SignalRules()
    risk: RiskRules = RiskRules()
    costs: PaperVenueRules = PaperVenueRules()


# An hour moves a currency less, and a trade in it costs less, than a day a share.
HOURLY = TradingRules(
    risk=RiskRules(stop_fraction=Decimal("0.004"), target_fraction=Decimal("0.008")),
    costs=PaperVenueRules(commission_bps=Decimal("0.2"), slippage_bps=Decimal("0.3")),
)


class StrategyConfig(BaseModel):
    """The whole file; `rules` has one entry a timeframe, others are not traded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z0-9-]+$")] = "momentum"
    rules: Annotated[dict[Timeframe, TradingRules], Field(min_length=1, max_length=16)] = {
        "1d": TradingRules(),
        "1h": HOURLY,
    }
    # None suits recorded data, whose clock is the bars; a live venue wants about a minute.
    intent_valid_seconds: Annotated[float, Field(gt=0)] | None = None
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    max_feature_age_seconds: Annotated[float, Field(gt=0)] = 300
