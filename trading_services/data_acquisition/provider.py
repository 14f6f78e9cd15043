"""What a source of bars must offer, be it a record or a live API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from trading_services.market_data.bars import Bar

SeriesKey = tuple[str, str]
"""Symbol and timeframe."""


@dataclass(frozen=True)
class Stand:
    """How far the table is for one series."""

    count: int
    last: datetime


class Provider(Protocol):
    """A source of bars in time order that can go on from where the table stands."""

    def read_history(self, stands: Mapping[SeriesKey, Stand]) -> list[Bar]:
        """Return what the table should already hold and lacks, in time order.

        It sets the position for `poll`; bars that the table has may be among them.
        """

    def poll(self, now: float) -> list[Bar]:
        """Return the bars that became known since the last call; `now` is monotonic seconds.

        A bar is returned once: the caller keeps it until it is stored.
        """

    @property
    def complete(self) -> bool:
        """Tell whether no further bar will ever come."""

    def describe(self) -> dict[str, Any]:
        """Return where each feed stands, for the heartbeat row."""
