"""What the metrics say of the trading systems: the conditions that they have now."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from trading_operator.api.reasons import AVAILABLE, DEGRADED, READY, ROLLED_BACK, STALLED
from trading_operator.controllers.trading_systems import Systems
from trading_operator.kube.cache import Key

# Each system costs fifteen series: a bound keeps one scrape short on the operator's only thread.
SYSTEMS_LIMIT = 2000
TYPES = (AVAILABLE, READY, STALLED, DEGRADED, ROLLED_BACK)
STATUSES = ("True", "False", "Unknown")


def read_conditions(systems: Systems) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield (namespace, name, type, status) of each system, and 1 for the status it has."""
    for key in islice(sorted(systems), SYSTEMS_LIMIT):
        for kind, status in _read_statuses(systems, key).items():
            for each in STATUSES:
                yield (key.namespace, key.name, kind, each), float(each == status)


def count_conditions(systems: Systems) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield (type, status) and how many systems have it; a condition never set is Unknown."""
    found: Counter[tuple[str, str]] = Counter()
    for key in systems:
        found.update(_read_statuses(systems, key).items())
    for kind in TYPES:
        for status in STATUSES:
            yield (kind, status), float(found[kind, status])


def read_hibernated(systems: Systems) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield (namespace, name) of each system that is to be hibernated, and 1."""
    for key in systems:
        known = systems.look_at(key)
        if known is not None and known.facts.hibernated:
            yield (key.namespace, key.name), 1.0


def _read_statuses(systems: Systems, key: Key) -> dict[str, str]:
    known = systems.look_at(key)
    told = {} if known is None else dict(known.conditions)
    return {kind: told.get(kind, "Unknown") for kind in TYPES}
