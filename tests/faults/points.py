"""The fault points: which fault strikes at which write of which scenario, and their numbers."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Scenario(StrEnum):
    """What the operator does while a fault strikes."""

    CREATE = "create"
    CHANGE = "change"
    ROLLBACK = "rollback"
    DELETE = "delete"


class Stream(StrEnum):
    """Which of the operator's writes are counted."""

    WRITE = "write"
    EVENT = "event"
    LEASE = "lease"


class Kind(StrEnum):
    """What happens at the write."""

    KILL_BEFORE = "kill-before"
    KILL_AFTER_COMMIT = "kill-after-commit"
    KILL_AFTER_ANSWER = "kill-after-answer"
    CONFLICT = "conflict"
    TOO_MANY_REQUESTS = "too-many-requests"
    SERVER_ERROR = "server-error"
    RESET = "reset"
    COMMIT_THEN_TIMEOUT = "commit-then-timeout"
    COMMIT_THEN_RESET = "commit-then-reset"
    COMMIT_THEN_SILENCE = "commit-then-silence"
    WATCHES_CUT = "watches-cut"
    WATCHES_HELD = "watches-held"
    WATCHES_STALE = "watches-stale"
    OUTAGE = "outage"
    LEADER_PAUSED = "leader-paused"
    SERVER_RESTARTED = "server-restarted"


KILLS = frozenset({Kind.KILL_BEFORE, Kind.KILL_AFTER_COMMIT, Kind.KILL_AFTER_ANSWER})
# They concern every system of the cluster, so no other point runs meanwhile.
ALONE = frozenset({Kind.SERVER_RESTARTED})
# Of every how many writes; what takes half a minute does not strike at each.
_STEPS = {
    Kind.COMMIT_THEN_SILENCE: 8,
    Kind.OUTAGE: 3,
    Kind.LEADER_PAUSED: 3,
    Kind.SERVER_RESTARTED: 8,
}
# Nothing follows from an Event, and the Lease has tests of its own.
_BESIDE = {
    Stream.EVENT: (
        Kind.KILL_BEFORE,
        Kind.KILL_AFTER_COMMIT,
        Kind.SERVER_ERROR,
        Kind.RESET,
        Kind.COMMIT_THEN_RESET,
    ),
    Stream.LEASE: (
        Kind.KILL_BEFORE,
        Kind.KILL_AFTER_COMMIT,
        Kind.CONFLICT,
        Kind.SERVER_ERROR,
        Kind.RESET,
        Kind.COMMIT_THEN_TIMEOUT,
        Kind.COMMIT_THEN_RESET,
    ),
}
LEASE_WRITES = 2  # of each scenario; they come by the clock
# A number stays what it is when a run counts a write more or less: the places are fixed.
_FIRST = {Stream.WRITE: 0, Stream.EVENT: 60, Stream.LEASE: 96}
_SLOTS, _PLACES = 100, 20
_KINDS, _SCENARIOS = tuple(Kind), tuple(Scenario)


@dataclass(frozen=True)
class Point:
    """One fault at one write."""

    scenario: Scenario
    stream: Stream
    index: int
    kind: Kind

    @property
    def number(self) -> int:
        """Return the number by which the point is repeated."""
        slot = _SCENARIOS.index(self.scenario) * _SLOTS + _FIRST[self.stream] + self.index
        return slot * _PLACES + _KINDS.index(self.kind)

    def __str__(self) -> str:
        return f"{self.number} ({self.scenario}, {self.kind} at {self.stream} {self.index})"


def point_of(number: int) -> Point:
    """Return the point of a number. Raises ValueError."""
    place, kind = divmod(number, _PLACES)
    scenario, slot = divmod(place, _SLOTS)
    if number < 0 or scenario >= len(_SCENARIOS) or kind >= len(_KINDS):
        raise ValueError(f"there is no fault point {number}")
    stream = max((each for each in Stream if _FIRST[each] <= slot), key=lambda each: _FIRST[each])
    return Point(_SCENARIOS[scenario], stream, slot - _FIRST[stream], _KINDS[kind])


def all_points(counts: Mapping[Scenario, Mapping[Stream, int]]) -> list[Point]:
    """Return every point of scenarios of which so many writes were counted."""
    return [
        Point(scenario, stream, index, kind)
        for scenario, streams in counts.items()
        for stream, count in streams.items()
        for index in range(min(count, _room(stream)))
        for kind in _kinds_at(stream, index)
    ]


def in_turn(points: Iterable[Point], seed: int) -> list[Point]:
    """Return points in an order in which each beginning has all scenarios and kinds in it."""
    rng = random.Random(seed)
    classes: dict[tuple[Scenario, Kind], list[Point]] = defaultdict(list)
    for point in points:
        classes[point.scenario, point.kind].append(point)
    queues = list(classes.values())
    rng.shuffle(queues)
    for queue in queues:
        rng.shuffle(queue)
    return list(_take_turns(queues))


def _take_turns(queues: list[list[Point]]) -> Iterator[Point]:
    while queues := [queue for queue in queues if queue]:
        for queue in queues:
            yield queue.pop()


def _room(stream: Stream) -> int:
    later = [first for first in _FIRST.values() if first > _FIRST[stream]]
    return min(later, default=_SLOTS) - _FIRST[stream]


def has_room(stream: Stream, count: int) -> bool:
    """Tell whether so many writes of a stream have numbers."""
    return count <= _room(stream)


def _kinds_at(stream: Stream, index: int) -> Iterable[Kind]:
    if stream is not Stream.WRITE:
        return _BESIDE[stream]
    return (kind for kind in _KINDS if index % _STEPS.get(kind, 1) == 0)
