"""Decisions: entries on strong signals, exits for a reason, and nothing on unusable numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_services.trading_strategy.book import Bar, Book, Intent, Market, Position, Protection
from trading_services.trading_strategy.broker import Side
from trading_services.trading_strategy.config import SignalRules, TradingRules
from trading_services.trading_strategy.decisions import Trader, decide, without_entry

TRADER = Trader("system", "momentum")
MARKET = Market("IBM", "1d")
MOMENT = datetime(2012, 1, 2, 5, tzinfo=UTC)
BAR = Bar(MOMENT, Decimal(100), Decimal(101), Decimal(99), Decimal(100))
RULES = TradingRules(
    signals=SignalRules(entry_strength=0.1, exit_strength=0.05, max_holding_bars=5)
)
LONG = Position(
    position_id="pos-1",
    shares=Decimal(10),
    entry_price=Decimal(100),
    entry_cost=Decimal(1),
    entry_time=MOMENT - timedelta(days=1),
    protection=Protection(Decimal(96), Decimal(108), Decimal(40)),
)
SHORT = replace(
    LONG,
    shares=Decimal(-10),
    protection=Protection(Decimal(104), Decimal(92), Decimal(40)),
)
FLAT = Book(MARKET)


def _bar(**prices: int) -> Bar:
    changed: dict[str, Any] = {name: Decimal(value) for name, value in prices.items()}
    return replace(BAR, **changed)


@pytest.mark.parametrize(
    ("score", "side"), [(0.60, Side.BUY), (0.40, Side.SELL), (0.54, None), (0.46, None)]
)
def test_a_strong_score_opens_a_position_in_its_direction(score: float, side: Side | None) -> None:
    order = decide(TRADER, FLAT, BAR, score, RULES).order
    assert (order.request.side if order else None) is side
    if order is not None:
        assert order.intent is Intent.ENTRY
        assert order.protection is not None
        assert order.position_id == f"pos-{order.request.client_order_id}"


def test_a_short_position_needs_leave() -> None:
    rules = TradingRules(signals=SignalRules(allow_short=False))
    decision = decide(TRADER, FLAT, BAR, 0.3, rules)
    assert (decision.order, decision.reason) == (None, "ShortNotAllowed")


@pytest.mark.parametrize(
    ("position", "bar", "score", "reason"),
    [
        (LONG, _bar(low=96), 0.6, "StopReached"),
        (LONG, _bar(low=96, high=110), 0.6, "StopReached"),
        (LONG, _bar(high=108), 0.6, "TargetReached"),
        (LONG, BAR, 0.47, "SignalReversed"),
        (SHORT, _bar(high=104), 0.4, "StopReached"),
        (SHORT, _bar(low=92), 0.4, "TargetReached"),
        (SHORT, BAR, 0.53, "SignalReversed"),
        (LONG, BAR, 0.6, None),
        (SHORT, BAR, 0.4, None),
    ],
)
def test_a_position_is_closed_whole_and_for_a_reason(
    position: Position, bar: Bar, score: float, reason: str | None
) -> None:
    decision = decide(TRADER, replace(FLAT, position=position), bar, score, RULES)
    if reason is None:
        assert decision.order is None
        return
    assert decision.order is not None
    assert decision.reason == reason
    assert decision.order.intent is Intent.EXIT
    assert decision.order.position_id == position.position_id
    assert decision.order.request.shares * decision.order.request.side.sign == -position.shares


def test_a_position_is_held_no_longer_than_the_rules_say() -> None:
    held = [
        decide(TRADER, replace(FLAT, position=LONG, bars_held=bars), BAR, 0.6, RULES).action
        for bars in range(5)
    ]
    assert held == ["Hold", "Hold", "Hold", "Hold", "Exit"]


def test_nothing_is_decided_while_an_order_works() -> None:
    order = decide(TRADER, FLAT, BAR, 0.6, RULES).order
    decision = decide(TRADER, replace(FLAT, working=order), BAR, 0.9, RULES)
    assert (decision.action, decision.reason) == ("Hold", "OrderWorking")


@pytest.mark.parametrize(
    ("bar", "score"),
    [
        (BAR, float("nan")),
        (BAR, float("inf")),
        (replace(BAR, close=Decimal("NaN")), 0.9),
        (replace(BAR, close=Decimal(0)), 0.9),
    ],
)
def test_numbers_that_are_none_are_refused(bar: Bar, score: float) -> None:
    decision = decide(TRADER, FLAT, bar, score, RULES)
    assert (decision.action, decision.reason) == ("Hold", "ScoreOrPriceUnusable")


@given(score=st.floats(0, 1), held=st.integers(0, 9), side=st.sampled_from([None, LONG, SHORT]))
def test_the_same_inputs_always_give_the_same_decision_and_a_halt_spares_exits(
    score: float, held: int, side: Position | None
) -> None:
    book = replace(FLAT, position=side, bars_held=held)
    decision = decide(TRADER, book, BAR, score, RULES)
    assert decision == decide(TRADER, book, BAR, score, RULES)
    halted = without_entry(decision, "TradingHalted")
    assert halted.action != "Entry"
    if side is not None:
        assert halted == decision
