"""The simulator: the strategy's own decisions, filled as the paper venue fills them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trading_services.paper_broker.fills import CostModel, NextBar, build_fill
from trading_services.trading_strategy.bar_reader import FeaturedBar
from trading_services.trading_strategy.book import (
    Book,
    Market,
    Order,
    build_book_after_decision,
    build_book_after_fill,
)
from trading_services.trading_strategy.broker import Fill
from trading_services.trading_strategy.config import TradingRules
from trading_services.trading_strategy.decisions import Decision, Trader, decide

Score = Callable[[Sequence[float]], float]


@dataclass(frozen=True)
class Setup:
    """What a backtest needs besides bars: who trades, how, at which costs, on which scores."""

    trader: Trader
    rules: TradingRules
    costs: CostModel
    score: Score


@dataclass(frozen=True)
class Execution:
    """An order and its fill."""

    order: Order
    fill: Fill


@dataclass(frozen=True)
class BacktestResult:
    """All decisions in bar order, all executions, and the book at the end."""

    decisions: tuple[Decision, ...]
    executions: tuple[Execution, ...]
    book: Book


def run_backtest(market: Market, bars: Sequence[FeaturedBar], setup: Setup) -> BacktestResult:
    """Replay `bars`, which are in time order and without a gap, from an empty book."""
    book = Book(market=market)
    decisions: list[Decision] = []
    executions: list[Execution] = []
    for featured in bars:
        book, execution = _fill_at_open(book, featured, setup.costs)
        executions += [execution] if execution else []
        score = setup.score(featured.features)
        decision = decide(setup.trader, book, featured.bar, score, setup.rules)
        decisions.append(decision)
        book = build_book_after_decision(book, featured.bar, decision.order)
    return BacktestResult(tuple(decisions), tuple(executions), book)


def _fill_at_open(
    book: Book, featured: FeaturedBar, costs: CostModel
) -> tuple[Book, Execution | None]:
    order = book.working
    if order is None:
        return book, None
    bar = NextBar(featured.bar.time, featured.bar.open)
    fill = build_fill(order.request, bar, costs)
    return build_book_after_fill(book, order, fill), Execution(order, fill)
