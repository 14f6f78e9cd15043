"""Queries of a client while somebody backs up, and which of them count."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median, quantiles
from typing import NamedTuple

from bench.errors import BenchError


class Span(NamedTuple):
    """When something began and ended, in seconds since the epoch."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


class Query(NamedTuple):
    """When a query was asked, and how long its answer took."""

    asked: float
    seconds: float


@dataclass(frozen=True)
class Waits:
    """How long the queries of a span took, in milliseconds."""

    queries: int
    median: float
    high: float  # 99 % took no longer


def summarize(queries: Sequence[Query], span: Span) -> Waits:
    """Return how long the queries took that were asked in a span. Raises BenchError."""
    waits = [1000 * each.seconds for each in queries if span.began <= each.asked < span.ended]
    if len(waits) < 2:
        raise BenchError(
            f"only {len(waits)} queries were asked while the data were read: give more --rows"
        )
    return Waits(len(waits), median(waits), quantiles(waits, n=100, method="inclusive")[98])


def find_phase(log: str, phase: str) -> Span:
    """Return when a Job was in a phase, from its log. Raises BenchError."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    begun = [line for line in lines if line["event"] == "phase begins"]
    for line, following in pairwise(begun):
        if line["phase"] == phase:
            return Span(_read_time(line["timestamp"]), _read_time(following["timestamp"]))
    raise BenchError(f"the Job's log does not say when its phase {phase} began and ended")


def _read_time(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
