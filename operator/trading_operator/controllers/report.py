"""What a pass over a resource found, and how it ends for one that was deleted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading_operator.observe.event_text import EventText


@dataclass(frozen=True)
class Report:
    """The status that a pass found, and in how many seconds the next one is due."""

    status: dict[str, Any]
    due_in: float | None = None
    # As it is after its finalizer was written; None when it was not.
    body: Mapping[str, Any] | None = None
    events: tuple[EventText, ...] = ()


@dataclass(frozen=True)
class Farewell:
    """Where the end of a resource stands: `report` None means that it may go now."""

    report: Report | None = None
    events: tuple[EventText, ...] = ()
