"""The other components: what they were told, and what they last said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_services.database.connection import Database

CONTROLLED = ("data-acquisition", "feature-engineering", "model-training", "trading-strategy")

_ORDERS = "SELECT component, desired_state, reason, updated_at FROM component_control"

_INSTANCES = """
SELECT component, instance, state, detail, beat_at,
       extract(epoch FROM now() - beat_at)::float8
FROM component_heartbeat
ORDER BY component, beat_at DESC
"""

_TELL = """
INSERT INTO component_control AS old (component, desired_state, reason, updated_at)
VALUES (%s, %s, %s, now())
ON CONFLICT (component)
DO UPDATE SET desired_state = excluded.desired_state, reason = excluded.reason,
              updated_at = CASE WHEN old.desired_state = excluded.desired_state
                                THEN old.updated_at ELSE excluded.updated_at END
RETURNING desired_state, reason, updated_at
"""


@dataclass(frozen=True)
class Instance:
    """One process of a component and its last heartbeat."""

    instance: str
    state: str
    detail: dict[str, Any]
    beat_at: datetime
    age_seconds: float


@dataclass(frozen=True)
class ComponentStatus:
    """A component: its order, and its instances with the latest heartbeat first."""

    component: str
    desired_state: str
    reason: str
    updated_at: datetime | None
    instances: Sequence[Instance]

    def alive(self, longest_seconds: float) -> bool:
        """Tell whether an instance that has not stopped beat lately."""
        return any(
            one.state != "Stopped" and one.age_seconds <= longest_seconds for one in self.instances
        )


def read_components(database: Database) -> list[ComponentStatus]:
    """Return every controlled component, also one that never started."""
    orders = {row[0]: row[1:] for row in database.query(_ORDERS)}
    instances: dict[str, list[Instance]] = {}
    for component, *facts in database.query(_INSTANCES):
        instances.setdefault(component, []).append(Instance(*facts))
    return [_build_status(name, orders.get(name), instances.get(name, [])) for name in CONTROLLED]


def _build_status(
    name: str, order: tuple[str, str, datetime] | None, instances: Sequence[Instance]
) -> ComponentStatus:
    desired_state, reason, updated_at = order or ("Running", "", None)
    return ComponentStatus(name, desired_state, reason, updated_at, instances)


def write_order(database: Database, component: str, desired_state: str, reason: str) -> list[Any]:
    """Tell a component to be Running or Paused; return the row as it is now."""
    return list(database.query(_TELL, (component, desired_state, reason))[0])


def delete_old_heartbeats(database: Database, older_than_seconds: float) -> int:
    """Delete the heartbeats of instances long gone; return how many."""
    return database.execute(
        "DELETE FROM component_heartbeat WHERE beat_at < now() - make_interval(secs => %s)",
        (older_than_seconds,),
    )
