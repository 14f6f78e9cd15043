"""What the strategy asks of a venue: the order types and the Broker protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class Side(StrEnum):
    """The direction of an order."""

    BUY = "Buy"
    SELL = "Sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class VenueStatus(StrEnum):
    """What a venue says of an order."""

    ACCEPTED = "Accepted"
    FILLED = "Filled"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"


@dataclass(frozen=True)
class OrderRequest:
    """A market order: `shares` is positive, `bar_time` is the bar it was decided on (UTC)."""

    client_order_id: str
    symbol: str
    timeframe: str
    side: Side
    shares: Decimal
    bar_time: datetime


@dataclass(frozen=True)
class Fill:
    """One execution: `price` includes slippage, `cost` is the commission in money."""

    fill_id: str
    client_order_id: str
    price: Decimal
    shares: Decimal
    cost: Decimal
    filled_at: datetime


@dataclass(frozen=True)
class VenueOrder:
    """An order as the venue holds it; `fill` is there when and only when it is filled."""

    request: OrderRequest
    venue_order_id: str
    status: VenueStatus
    reason: str | None = None
    fill: Fill | None = None


class BrokerError(Exception):
    """The venue could not be asked or gave no answer: nothing may be concluded from it."""


class DuplicateOrder(BrokerError):  # noqa: N818 - named as venues name this answer
    """The client order id is taken; `existing` is the order that took it."""

    def __init__(self, existing: VenueOrder) -> None:
        super().__init__(f"client order id {existing.request.client_order_id} is already used")
        self.existing = existing


class StaleWriter(BrokerError):  # noqa: N818 - a state, not a fault of the venue
    """The venue was claimed by a writer with a newer fence token."""


class Broker(Protocol):
    """A venue that takes orders for one account.

    Every method may raise BrokerError, after which the caller knows nothing new.
    """

    def claim(self, token: int) -> None:
        """Make `token` the lowest fence token whose orders the venue still takes."""

    def submit(self, request: OrderRequest) -> VenueOrder:
        """Place an order; raises DuplicateOrder with the existing one for a used client id."""

    def cancel(self, client_order_id: str) -> VenueOrder | None:
        """Cancel a working order and return what became of it, None if the venue has none."""

    def read_order(self, client_order_id: str) -> VenueOrder | None:
        """Return the order with this client id, or None if the venue has none."""

    def read_orders(self) -> Sequence[VenueOrder]:
        """Return every order that the account ever placed."""

    def close(self) -> None:
        """Let go of the connection."""
