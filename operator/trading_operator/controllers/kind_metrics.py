"""What the metrics say of resources that serve trading systems: Backups, ModelTrainingJobs."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from trading_operator.api.reasons import (
    GATES_PASSED,
    MODEL_HEALTHY,
    OBJECTIVES_MET,
    READY,
    RESTORE_PROVEN,
    STALLED,
    SUCCEEDED,
)
from trading_operator.controllers.registry import Registry

# Each costs as many series as a trading system: a bound keeps one scrape short.
LIMIT = 2000
BACKUP_TYPES = (READY, STALLED, SUCCEEDED, RESTORE_PROVEN, OBJECTIVES_MET)
TRAINING_TYPES = (READY, STALLED, SUCCEEDED, GATES_PASSED, MODEL_HEALTHY)
STATUSES = ("True", "False", "Unknown")
F = TypeVar("F")


def read_kind_conditions(
    registry: Registry[Any], types: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield (namespace, name, type, status) of the conditions that each resource has."""
    for key in islice(sorted(registry), LIMIT):
        known = registry.look_at(key)
        told = {} if known is None else dict(known.conditions)
        for kind in types:
            if kind in told:
                for each in STATUSES:
                    yield (key.namespace, key.name, kind, each), float(each == told[kind])


def read_numbers(
    registry: Registry[F], number: Callable[[F], float | None]
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield (namespace, name) of each resource and a number of it; none of what is not known."""
    for key in islice(sorted(registry), LIMIT):
        known = registry.look_at(key)
        value = None if known is None else number(known.facts)
        if value is not None:
            yield (key.namespace, key.name), float(value)


def read_waits(
    registry: Registry[F], reason: Callable[[F], str]
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield (namespace, name, reason) of each resource that waits for something."""
    for key in islice(sorted(registry), LIMIT):
        known = registry.look_at(key)
        why = "" if known is None else reason(known.facts)
        if why:
            yield (key.namespace, key.name, why), 1.0
