"""What the metrics say of the Backups."""

from collections.abc import Iterator
from itertools import islice

from trading_operator.api.reasons import (
    OBJECTIVES_MET,
    READY,
    RESTORE_PROVEN,
    STALLED,
    SUCCEEDED,
)
from trading_operator.controllers.backups import Backups, Number

# Each costs as many series as a trading system: a bound keeps one scrape short.
BACKUPS_LIMIT = 2000
TYPES = (READY, STALLED, SUCCEEDED, RESTORE_PROVEN, OBJECTIVES_MET)
STATUSES = ("True", "False", "Unknown")


def read_backup_conditions(backups: Backups) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield (namespace, name, type, status) of the conditions that each Backup has."""
    for key in islice(sorted(backups), BACKUPS_LIMIT):
        known = backups.look_at(key)
        told = {} if known is None else dict(known.conditions)
        for kind in TYPES:
            if kind in told:
                for each in STATUSES:
                    yield (key.namespace, key.name, kind, each), float(each == told[kind])


def read_numbers(backups: Backups, number: Number) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield (namespace, name) of each Backup and a number of it; none of what is not known."""
    for key in islice(sorted(backups), BACKUPS_LIMIT):
        known = backups.look_at(key)
        value = None if known is None else number(known.facts)
        if value is not None:
            yield (key.namespace, key.name), float(value)
