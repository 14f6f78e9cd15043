"""Waits for a database that is away: a restart of it must not cost a try of the training."""

import time
from collections.abc import Callable
from typing import TypeVar

from psycopg2.errors import QueryCanceled

from trading_services.contract.logs import get_logger
from trading_services.database.connection import UNAVAILABLE

WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
_POLL_SECONDS = 0.1

Result = TypeVar("Result")

_log = get_logger(__name__)


def wait_for_database(
    work: Callable[[], Result],
    should_stop: Callable[[], bool] = lambda: False,
    seconds: float = WAIT_SECONDS,
) -> Result:
    """Return what `work` returns, tried again while the database is away; it must be repeatable.

    Raises what psycopg2 raises once the wait is over, or the program is to stop.
    """
    deadline: float | None = None
    while True:
        try:
            return work()
        except QueryCanceled:
            raise  # it is there, and too slow
        except UNAVAILABLE as error:
            # From when it was first away: the work itself may take longer than the patience.
            deadline = deadline or time.monotonic() + seconds
            if should_stop() or time.monotonic() >= deadline:
                raise
            _log.warning("the database is away, waiting", error=str(error))
        _rest(should_stop)


def _rest(should_stop: Callable[[], bool]) -> None:
    until = time.monotonic() + _PAUSE_SECONDS
    while time.monotonic() < until and not should_stop():
        time.sleep(_POLL_SECONDS)
