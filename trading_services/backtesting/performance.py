"""What a backtest earned: trades, profit after costs, and the worst fall on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading_services.backtesting.simulator import BacktestResult, Execution
from trading_services.trading_strategy.book import Intent


@dataclass(frozen=True)
class Performance:
    """The summary of a backtest, in money; an open position counts only by its costs."""

    round_trips: int
    won: int
    realised: Decimal
    costs: Decimal
    max_drawdown: Decimal


def build_performance(result: BacktestResult) -> Performance:
    """Summarise the executions of a backtest."""
    profits = build_profits(result.executions)
    return Performance(
        round_trips=len(profits),
        won=sum(1 for profit in profits if profit > 0),
        realised=sum(profits, Decimal(0)),
        costs=sum((each.fill.cost for each in result.executions), Decimal(0)),
        max_drawdown=build_max_drawdown(profits),
    )


def build_profits(executions: Sequence[Execution]) -> list[Decimal]:
    """Return the profit after costs of every round trip, in order."""
    profits = []
    entry: Execution | None = None
    for execution in executions:
        if execution.order.intent is Intent.ENTRY:
            entry = execution
        elif entry is not None:
            profits.append(_build_profit(entry, execution))
            entry = None
    return profits


def build_max_drawdown(profits: Sequence[Decimal]) -> Decimal:
    """Return the largest fall of the running profit from an earlier peak, as a positive sum."""
    total = peak = worst = Decimal(0)
    for profit in profits:
        total += profit
        peak = max(peak, total)
        worst = max(worst, peak - total)
    return worst


def _build_profit(entry: Execution, leaving: Execution) -> Decimal:
    signed = entry.fill.shares * entry.order.request.side.sign
    gross = (leaving.fill.price - entry.fill.price) * signed
    return gross - entry.fill.cost - leaving.fill.cost
