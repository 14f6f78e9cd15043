"""The paper venue: takes orders into its own schema and fills them at the next bar's open."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from trading_services.paper_broker.fills import CostModel, NextBar, build_fill
from trading_services.trading_strategy.broker import (
    BrokerError,
    DuplicateOrder,
    Fill,
    OrderRequest,
    Side,
    StaleWriter,
    VenueOrder,
    VenueStatus,
)

_CLAIM = """
INSERT INTO paper_broker.accounts AS held (account, fence_token) VALUES (%(account)s, %(token)s)
ON CONFLICT (account) DO UPDATE SET fence_token = excluded.fence_token
WHERE held.fence_token <= excluded.fence_token
RETURNING fence_token
"""

# FOR SHARE makes a claim wait for this statement, and this statement see a claim before it.
_SUBMIT = """
INSERT INTO paper_broker.orders (client_order_id, venue_order_id, account, symbol, timeframe,
                                 side, shares, bar_time, status, reason)
SELECT %(id)s, 'paper-' || %(id)s, account, %(symbol)s, %(timeframe)s,
       %(side)s, %(shares)s, %(bar_time)s, %(status)s, %(reason)s
FROM paper_broker.accounts WHERE account = %(account)s AND fence_token <= %(token)s FOR SHARE
ON CONFLICT (client_order_id) DO NOTHING
"""

_CANCEL = """
WITH fence AS (
    SELECT account FROM paper_broker.accounts
    WHERE account = %(account)s AND fence_token <= %(token)s FOR SHARE
), cancelled AS (
    UPDATE paper_broker.orders placed SET status = 'Cancelled', reason = 'CancelledByClient'
    FROM fence
    WHERE placed.client_order_id = %(id)s AND placed.account = fence.account
      AND placed.status = 'Accepted'
)
SELECT count(*) FROM fence
"""

_READ = """
SELECT o.client_order_id, o.symbol, o.timeframe, o.side, o.shares, o.bar_time,
       o.venue_order_id, o.status, o.reason,
       f.fill_id, f.price, f.shares, f.cost, f.filled_at
FROM paper_broker.orders o LEFT JOIN paper_broker.fills f USING (client_order_id)
WHERE o.account = %(account)s AND (%(id)s::text IS NULL OR o.client_order_id = %(id)s)
ORDER BY o.received_at, o.client_order_id
"""

_FILLABLE = """
SELECT o.client_order_id, o.symbol, o.timeframe, o.side, o.shares, o.bar_time,
       bar.timestamp, bar.open
FROM paper_broker.orders o
CROSS JOIN LATERAL (
    SELECT timestamp, open FROM stock_aggs
    WHERE symbol = o.symbol AND timeframe = o.timeframe AND timestamp > o.bar_time
    ORDER BY timestamp LIMIT 1
) bar
WHERE o.account = %(account)s AND o.status = 'Accepted' AND o.timeframe = ANY(%(offered)s)
"""

_FILL = """
WITH filled AS (
    UPDATE paper_broker.orders SET status = 'Filled'
    WHERE client_order_id = %(id)s AND status = 'Accepted'
    RETURNING client_order_id
)
INSERT INTO paper_broker.fills (fill_id, client_order_id, price, shares, cost, filled_at)
SELECT %(fill_id)s, client_order_id, %(price)s, %(shares)s, %(cost)s, %(filled_at)s FROM filled
"""


class PaperBroker:
    """A venue for one account; each statement is one transaction on a connection of its own.

    Not safe across threads. Any database error is a BrokerError, and the next call reconnects.
    """

    def __init__(
        self, connect: Callable[[], Connection], account: str, costs: Mapping[str, CostModel]
    ) -> None:
        """Connect at the first call; `costs` has an entry for every timeframe on offer."""
        self._connect = connect
        self._account = account
        self._costs = costs
        self._token = 0
        self._connection: Connection | None = None

    def claim(self, token: int) -> None:
        """Make `token` the lowest fence token whose orders the venue still takes."""
        if not self._run(_CLAIM, {"account": self._account, "token": token}):
            raise StaleWriter(f"account {self._account} was claimed with a token above {token}")
        self._token = token

    def submit(self, request: OrderRequest) -> VenueOrder:
        """Place an order; raises DuplicateOrder, or StaleWriter for an old fence token."""
        refusal = _find_refusal(request, self._costs)
        placed = self._run_counting(
            _SUBMIT,
            {
                "id": request.client_order_id,
                "account": self._account,
                "token": self._token,
                "symbol": request.symbol,
                "timeframe": request.timeframe,
                "side": request.side.value,
                "shares": request.shares,
                "bar_time": request.bar_time,
                "status": "Rejected" if refusal else "Accepted",
                "reason": refusal,
            },
        )
        found = self._read(request.client_order_id)
        if placed and found:
            return found[0]
        if found:
            raise DuplicateOrder(found[0])
        raise self._stale_writer()

    def cancel(self, client_order_id: str) -> VenueOrder | None:
        """Cancel a working order and return what became of it, None if the venue has none.

        Raises StaleWriter for an old fence token.
        """
        parameters = {"id": client_order_id, "account": self._account, "token": self._token}
        if not self._run(_CANCEL, parameters)[0][0]:
            raise self._stale_writer()
        found = self._read(client_order_id)
        return found[0] if found else None

    def read_order(self, client_order_id: str) -> VenueOrder | None:
        """Return the order with this client id after the venue has matched."""
        self._match()
        found = self._read(client_order_id)
        return found[0] if found else None

    def read_orders(self) -> Sequence[VenueOrder]:
        """Return every order that the account ever placed, after the venue has matched."""
        self._match()
        return self._read(None)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _stale_writer(self) -> StaleWriter:
        return StaleWriter(f"account {self._account} is not claimed with token {self._token}")

    def _match(self) -> None:
        parameters = {"account": self._account, "offered": list(self._costs)}
        for row in self._run(_FILLABLE, parameters):
            request, bar = _build_request(row[:6]), NextBar(row[6], row[7])
            fill = build_fill(request, bar, self._costs[request.timeframe])
            self._run_counting(
                _FILL,
                {
                    "id": request.client_order_id,
                    "fill_id": fill.fill_id,
                    "price": fill.price,
                    "shares": fill.shares,
                    "cost": fill.cost,
                    "filled_at": fill.filled_at,
                },
            )

    def _read(self, client_order_id: str | None) -> list[VenueOrder]:
        rows = self._run(_READ, {"account": self._account, "id": client_order_id})
        return [_build_venue_order(row) for row in rows]

    def _run(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._statement(sql, parameters) as cursor:
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _run_counting(self, sql: str, parameters: dict[str, Any]) -> int:
        with self._statement(sql, parameters) as cursor:
            return int(cursor.rowcount)

    @contextmanager
    def _statement(self, sql: str, parameters: dict[str, Any]) -> Iterator[Any]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
                # Each statement commits by itself: a writer that is stopped holds no lock.
                self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                yield cursor
        except psycopg2.Error as error:
            self.close()
            raise BrokerError(f"the paper venue did not answer: {str(error).strip()}") from error


def _find_refusal(request: OrderRequest, offered: Collection[str]) -> str | None:
    if request.timeframe not in offered:
        return "TimeframeNotOffered"
    if not request.shares.is_finite() or request.shares <= 0:
        return "SharesNotPositive"
    return None


def _build_request(row: tuple[Any, ...]) -> OrderRequest:
    client_order_id, symbol, timeframe, side, shares, bar_time = row
    return OrderRequest(client_order_id, symbol, timeframe, Side(side), shares, bar_time)


def _build_venue_order(row: tuple[Any, ...]) -> VenueOrder:
    request = _build_request(row[:6])
    venue_order_id, status, reason = row[6:9]
    fill_id, price, shares, cost, filled_at = row[9:]
    fill = None
    if fill_id is not None:
        fill = Fill(fill_id, request.client_order_id, price, shares, cost, filled_at)
    return VenueOrder(request, venue_order_id, VenueStatus(status), reason, fill)
