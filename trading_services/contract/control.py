"""The other end of the system controller: a component's heartbeat row and what it is told."""

import json
import socket
import time

from trading_services.contract.service import WorkerState
from trading_services.database.connection import Database

_EXCHANGE = """
WITH beat AS (
    INSERT INTO component_heartbeat AS old (component, instance, state, detail, beat_at)
    VALUES (%(component)s, %(instance)s, %(state)s, %(detail)s, now())
    ON CONFLICT (component, instance)
    DO UPDATE SET state = excluded.state, detail = excluded.detail, beat_at = excluded.beat_at
)
SELECT desired_state FROM component_control WHERE component = %(component)s
"""


class ControlLink:
    """Writes the heartbeat row at most every `interval_seconds` and keeps the last answer."""

    def __init__(
        self, database: Database, component: str, pod_name: str, interval_seconds: float
    ) -> None:
        """Start with no order from the controller, which means running."""
        self.paused = False
        self._database = database
        self._component = component
        self._instance = pod_name or socket.gethostname()
        self._interval = interval_seconds
        self._due = 0.0

    def exchange_when_due(self, state: WorkerState) -> None:
        """Beat and read the order, unless that was done less than the interval ago."""
        if time.monotonic() >= self._due:
            self.exchange(state)

    def exchange(self, state: WorkerState) -> None:
        """Beat and read the order in one round trip."""
        said = "Paused" if self.paused else state.state
        rows = self._database.query(
            _EXCHANGE,
            {
                "component": self._component,
                "instance": self._instance,
                "state": said,
                "detail": json.dumps(state.detail, default=str),
            },
        )
        self.paused = bool(rows) and rows[0][0] == "Paused"
        self._due = time.monotonic() + self._interval
