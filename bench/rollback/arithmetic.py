"""From polls and requests to figures: downtime, who wrote when, medians, percentiles. Pure."""

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from bench.audit import Request


class Poll(NamedTuple):
    """One question of the client; times are seconds since the epoch."""

    asked: float
    ended: float
    version: str  # "" when nobody answered in time


class Downtime(NamedTuple):
    """What a client noticed."""

    polls: int
    failed: int
    longest: float  # seconds from the first question in a row without an answer to the next answer


def measure_downtime(polls: Iterable[Poll]) -> Downtime:
    """Return how many polls failed, and for how long none was answered."""
    ordered = sorted(polls, key=lambda each: each.asked)
    longest, since = 0.0, None
    for poll in ordered:
        if poll.version and since is not None:
            longest, since = max(longest, poll.asked - since), None
        elif not poll.version and since is None:
            since = poll.asked
    if since is not None:
        longest = max(longest, ordered[-1].ended - since)
    return Downtime(len(ordered), sum(not each.version for each in ordered), longest)


def find_last_before(
    requests: Iterable[Request], resource: str, name: str, moment: float
) -> Request | None:
    """Return the last write about an object that was received before a moment.

    A watch may tell of a write before its own request is answered, but not before it came.
    """
    found = [
        each
        for each in requests
        if each.writes and (each.resource, each.name) == (resource, name) and each.code < 300
    ]
    return max(
        (each for each in found if each.received < moment),
        key=lambda each: each.received,
        default=None,
    )


def find_first_after(
    requests: Iterable[Request], resource: str, name: str, moment: float
) -> Request | None:
    """Return the first write about an object, or those whose names begin so, after a moment."""
    found = (
        each
        for each in requests
        if each.writes
        and each.resource == resource
        and each.name.startswith(name)
        and each.code < 300
        and not each.subresource
        and each.received > moment
    )
    return min(found, key=lambda each: each.received, default=None)


def describe_since(requests: Iterable[Request], began: float, until: float) -> list[str]:
    """Return the requests between two moments, with the milliseconds since the first one."""
    found = (each for each in requests if began < each.received and each.done <= until)
    return [_describe(each, began) for each in sorted(found, key=lambda each: each.received)]


def _describe(request: Request, began: float) -> str:
    sub = f"/{request.subresource}" if request.subresource else ""
    came, went = (1000 * (each - began) for each in (request.received, request.done))
    what = f"{request.verb} {request.resource}{sub}/{request.name}"
    return f"{came:.1f}-{went:.1f} ms: {what} {request.code}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def middle_and_worst(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the largest value."""
    return median(values), max(values)
