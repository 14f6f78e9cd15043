"""The order journal: every statement is one transaction and holds only with our fence token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from trading_services.trading_strategy import journal_sql as sql
from trading_services.trading_strategy.book import (
    Bar,
    Intent,
    Market,
    Order,
    OrderState,
    Position,
    Protection,
    build_profit,
)
from trading_services.trading_strategy.broker import Fill, OrderRequest, Side
from trading_services.trading_strategy.decisions import Decision
from trading_services.trading_strategy.reconciliation import JournalEntry


class FenceLostError(Exception):
    """Another writer took over: nothing more may be journaled or sent by this one."""


@dataclass(frozen=True)
class FilledOrder:
    """A fill and the venue's own name of the order."""

    venue_order_id: str
    fill: Fill


class Journal:
    """The journal of one strategy, on a connection of its own; not safe across threads.

    Raises psycopg2 errors when the database is away; after `close` the next call connects anew.
    """

    def __init__(self, connect: Callable[[], Connection], strategy: str, holder: str) -> None:
        """Connect at the first call; until `acquire` no write is accepted."""
        self.strategy = strategy
        self.token = 0
        self._holder = holder
        self._connect = connect
        self._connection: Connection | None = None

    def acquire(self) -> int:
        """Take the fence by raising its token, once; raises FenceLostError if it was lost since."""
        if self.token == 0:
            rows = self._run(sql.ACQUIRE, {"holder": self._holder})
            self.token = int(rows[0][0])
        elif not self._run(sql.CHECK_FENCE, {}):
            raise self._fence_lost()
        return self.token

    def write_decision(
        self, market: Market, bar: Bar, model_id: str, score: float, decision: Decision
    ) -> None:
        """Journal a decision, its order and the progress, all or nothing."""
        parameters = {
            "symbol": market.symbol,
            "timeframe": market.timeframe,
            "bar_time": bar.time,
            "model_id": model_id,
            "score": score,
            "strength": decision.strength,
            "action": decision.action,
            "reason": decision.reason,
            **_build_order_parameters(decision.order),
        }
        statement = sql.DECIDE_WITH_ORDER if decision.order else sql.DECIDE
        self._run_fenced(statement, parameters)

    def write_state(
        self,
        client_order_id: str,
        state: OrderState,
        venue_order_id: str | None = None,
        note: str | None = None,
    ) -> None:
        """Move an order that is still open to another state."""
        self._run_fenced(
            sql.MOVE,
            {"id": client_order_id, "state": state, "venue_id": venue_order_id, "note": note},
        )

    def write_entry_fill(self, order: Order, found: FilledOrder, position: Position) -> None:
        """Journal an entry's fill and open its position."""
        protection = position.protection
        self._run_fenced(
            sql.FILL_ENTRY,
            {
                **_build_fill_parameters(found),
                "position_id": position.position_id,
                "symbol": order.request.symbol,
                "position_shares": position.shares,
                "value": abs(position.shares) * position.entry_price,
                "stop_price": protection.stop_price,
                "target_price": protection.target_price,
                "risk_amount": protection.risk_amount,
                "conviction": order.conviction,
                "strength": order.strength,
                "reason": order.reason,
            },
        )

    def write_exit_fill(self, order: Order, found: FilledOrder, position: Position) -> None:
        """Journal an exit's fill and close its position."""
        self._run_fenced(
            sql.FILL_EXIT,
            {
                **_build_fill_parameters(found),
                "position_id": position.position_id,
                "profit": build_profit(position, found.fill),
                "reason": order.reason,
            },
        )

    def read_entries(self) -> list[JournalEntry]:
        """Return every order of this strategy with its fill, oldest bar first."""
        return [_build_entry(row) for row in self._run(sql.READ_ENTRIES, {})]

    def read_progress(self) -> dict[Market, datetime]:
        """Return the last decided bar of every market."""
        rows = self._run(sql.READ_PROGRESS, {})
        return {Market(symbol, timeframe): last for symbol, timeframe, last in rows}

    def read_bars_held(self, market: Market, since: datetime) -> int:
        """Return how many bars were decided from `since` on."""
        parameters = {"symbol": market.symbol, "timeframe": market.timeframe, "since": since}
        return int(self._run(sql.READ_BARS_HELD, parameters)[0][0])

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run_fenced(self, statement: str, parameters: dict[str, Any]) -> None:
        if not self._run(statement, parameters)[0][0]:
            raise self._fence_lost()

    def _fence_lost(self) -> FenceLostError:
        rows = self._run(sql.READ_FENCE, {})
        token, holder = rows[0] if rows else (None, "nobody")
        return FenceLostError(
            f"{holder} holds the fence of {self.strategy} with token {token}, ours is {self.token}"
        )

    def _run(self, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            # Each statement commits by itself: a writer that is stopped holds no lock.
            self._connection.autocommit = True
        common = {"strategy": self.strategy, "token": self.token}
        with self._connection.cursor() as cursor:
            cursor.execute(statement, {**common, **parameters})
            return cursor.fetchall() if cursor.description else []


def _build_order_parameters(order: Order | None) -> dict[str, Any]:
    if order is None:
        return {}
    request, protection = order.request, order.protection
    return {
        "id": request.client_order_id,
        "intent": order.intent,
        "side": request.side,
        "shares": request.shares,
        "position_id": order.position_id,
        "stop_price": protection.stop_price if protection else None,
        "target_price": protection.target_price if protection else None,
        "risk_amount": protection.risk_amount if protection else None,
        "conviction": order.conviction,
    }


def _build_fill_parameters(found: FilledOrder) -> dict[str, Any]:
    fill = found.fill
    return {
        "id": fill.client_order_id,
        "venue_id": found.venue_order_id,
        "fill_id": fill.fill_id,
        "price": fill.price,
        "shares": fill.shares,
        "cost": fill.cost,
        "filled_at": fill.filled_at,
    }


def _build_entry(row: tuple[Any, ...]) -> JournalEntry:
    request = OrderRequest(row[0], row[1], row[2], Side(row[3]), row[4], row[5])
    intent, position_id, reason, conviction, strength, state, age = row[6:13]
    stop, target, risk = row[13:16]
    order = Order(
        request=request,
        intent=Intent(intent),
        position_id=position_id,
        reason=reason,
        conviction=conviction,
        strength=strength,
        protection=None if stop is None else Protection(stop, target, risk),
        state=OrderState(state),
    )
    fill_id, price, shares, cost, filled_at = row[16:]
    if fill_id is None:
        return JournalEntry(order, age)
    fill = Fill(fill_id, request.client_order_id, price, shares, cost, filled_at)
    return JournalEntry(order, age, fill)
