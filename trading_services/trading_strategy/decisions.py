"""The decision on a bar: a pure function of the bar, its score and the market's book."""

import math
from dataclasses import dataclass
from decimal import Decimal

from trading_services.trading_strategy.book import Bar, Book, Intent, Order, Position
from trading_services.trading_strategy.broker import OrderRequest, Side
from trading_services.trading_strategy.config import SignalRules, TradingRules
from trading_services.trading_strategy.order_ids import OrderKey, build_client_order_id
from trading_services.trading_strategy.sizing import build_size

# One order a bar and market: a later order of the same bar would need the next number.
FIRST_ORDER = 0


@dataclass(frozen=True)
class Trader:
    """Who decides; its names enter every order's id."""

    system: str
    strategy: str


@dataclass(frozen=True)
class Decision:
    """What is done on a bar and why; without an `order` the bar is only watched."""

    strength: float
    reason: str
    order: Order | None = None

    @property
    def action(self) -> str:
        """Entry, Exit or Hold."""
        return self.order.intent.value if self.order else "Hold"


@dataclass(frozen=True)
class _Moment:
    trader: Trader
    book: Book
    bar: Bar
    strength: float


def decide(trader: Trader, book: Book, bar: Bar, score: float, rules: TradingRules) -> Decision:
    """Return the decision on `bar` given the probability `score` of a rise after it."""
    if not math.isfinite(score) or not bar.close.is_finite() or bar.close <= 0:
        return Decision(0.0, "ScoreOrPriceUnusable")
    moment = _Moment(trader, book, bar, 2 * score - 1)
    if book.working is not None:
        return Decision(moment.strength, "OrderWorking")
    if book.position is not None:
        return _decide_exit(moment, book.position, rules.signals)
    return _decide_entry(moment, rules)


def without_entry(decision: Decision, reason: str) -> Decision:
    """Return the decision with an entry turned into a Hold; exits stay possible."""
    if decision.order is None or decision.order.intent is Intent.EXIT:
        return decision
    return Decision(decision.strength, reason)


def without_order(decision: Decision, reason: str) -> Decision:
    """Return the decision with its order, if any, turned into a Hold."""
    return decision if decision.order is None else Decision(decision.strength, reason)


def _decide_entry(moment: _Moment, rules: TradingRules) -> Decision:
    refusal = _entry_refusal(moment.strength, rules.signals)
    if refusal is not None:
        return Decision(moment.strength, refusal)
    conviction = min(1.0, abs(moment.strength) / rules.signals.full_conviction_strength)
    direction = 1 if moment.strength > 0 else -1
    equity = rules.risk.capital_per_symbol + moment.book.realised
    size = build_size(moment.bar.close, direction, equity, conviction, rules.risk)
    if size is None:
        return Decision(moment.strength, "SizeBelowOneLot")
    request = _build_request(moment, Intent.ENTRY, direction * size.shares)
    order = Order(
        request=request,
        intent=Intent.ENTRY,
        position_id=f"pos-{request.client_order_id}",
        reason="SignalStrong",
        conviction=conviction,
        strength=moment.strength,
        protection=size.protection,
    )
    return Decision(moment.strength, order.reason, order)


def _entry_refusal(strength: float, signals: SignalRules) -> str | None:
    if abs(strength) < signals.entry_strength:
        return "SignalWeak"
    if strength < 0 and not signals.allow_short:
        return "ShortNotAllowed"
    return None


def _decide_exit(moment: _Moment, position: Position, signals: SignalRules) -> Decision:
    reason = _exit_reason(moment, position, signals)
    if reason is None:
        return Decision(moment.strength, "PositionKept")
    order = Order(
        request=_build_request(moment, Intent.EXIT, -position.shares),
        intent=Intent.EXIT,
        position_id=position.position_id,
        reason=reason,
        conviction=0.0,
        strength=moment.strength,
    )
    return Decision(moment.strength, reason, order)


def _exit_reason(moment: _Moment, position: Position, signals: SignalRules) -> str | None:
    bar, protection, direction = moment.bar, position.protection, position.direction
    worst, best = (bar.low, bar.high) if direction > 0 else (bar.high, bar.low)
    # The stop comes first: within one bar nobody knows which price was met before.
    if direction * (worst - protection.stop_price) <= 0:
        return "StopReached"
    if direction * (best - protection.target_price) >= 0:
        return "TargetReached"
    if direction * moment.strength <= -signals.exit_strength:
        return "SignalReversed"
    if moment.book.bars_held + 1 >= signals.max_holding_bars:
        return "HeldLongEnough"
    return None


def _build_request(moment: _Moment, intent: Intent, signed_shares: Decimal) -> OrderRequest:
    market = moment.book.market
    key = OrderKey(
        system=moment.trader.system,
        strategy=moment.trader.strategy,
        symbol=market.symbol,
        timeframe=market.timeframe,
        bar_time=moment.bar.time,
        intent=intent.value,
        sequence=FIRST_ORDER,
    )
    return OrderRequest(
        client_order_id=build_client_order_id(key),
        symbol=market.symbol,
        timeframe=market.timeframe,
        side=Side.BUY if signed_shares > 0 else Side.SELL,
        shares=abs(signed_shares),
        bar_time=moment.bar.time,
    )
