"""The times of a change: when it last made progress, and since when all of it serves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api.rollout import RolloutPhase
from trading_operator.plan.observed import RolloutFacts
from trading_operator.plan.rollout.faults import moment_or


@dataclass(frozen=True)
class Clock:
    """The times of a change as the last status told them, and as they are now."""

    progressed_at: datetime
    ready: int
    baking_since: datetime | None


def read_clock(before: RolloutFacts, revision: str, ready: int, of: int, now: datetime) -> Clock:
    """Return the times of a change of which `ready` of `of` components serve now.

    What an earlier change's status says is no time of this one.
    """
    ours = before.revision == revision and before.phase in _UNDER_WAY
    progressed = moment_or(before.progressed_at, now) if ours else now
    known = before.ready if ours else 0
    if ready == of:
        since = moment_or(before.baking_since, now) if ours else now
        return Clock(progressed if ready == known else now, ready, since)
    if ours and before.baking_since:
        return Clock(now, ready, None)  # all of it served until now: the time begins anew
    return Clock(now if ready > known else progressed, max(ready, known), None)


def time_left(since: datetime | None, time: timedelta, now: datetime) -> timedelta | None:
    """Return how much of a time is left; None while it has not begun."""
    return None if since is None else max(timedelta(), since + time - now)


def soonest(*waits: timedelta | None) -> timedelta | None:
    """Return the shortest of several waits, of which None is no wait at all."""
    return min((wait for wait in waits if wait is not None), default=None)


# While the next change is held, the one before it may be under way.
_UNDER_WAY = frozenset(
    {RolloutPhase.HELD.value, RolloutPhase.ROLLING_OUT.value, RolloutPhase.BAKING.value}
)
