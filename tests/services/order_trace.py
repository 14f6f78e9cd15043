"""What a strategy left at the venue and in its journal, and whether two such traces agree."""

from dataclasses import dataclass
from typing import Any

from trading_services.database.connection import Database

VENUE_ORDERS = """
SELECT o.client_order_id, o.symbol, o.timeframe, o.side, o.shares, o.bar_time, o.status,
       f.price, f.shares, f.cost, f.filled_at
FROM paper_broker.orders o LEFT JOIN paper_broker.fills f USING (client_order_id)
"""

JOURNAL_ORDERS = """
SELECT o.client_order_id, o.symbol, o.timeframe, o.side, o.shares, o.bar_time, o.state,
       f.price, f.shares, f.cost, f.filled_at
FROM orders o LEFT JOIN fills f USING (client_order_id)
"""

POSITIONS = """
SELECT position_id, symbol, shares, entry_price, entry_time, exit_price, exit_time, profit_loss,
       status, stop_price, target_price, risk_amount, conviction_score, signal_strength
FROM positions
"""

SIGNALS = "SELECT symbol, timeframe, bar_time, model_id, score, strength, action FROM signals"

Rows = frozenset[tuple[Any, ...]]


@dataclass(frozen=True)
class Trace:
    """All that must be the same, however often the strategy died on the way."""

    venue: Rows
    journal: Rows
    positions: Rows
    signals: Rows
    rows: dict[str, int]


def read_trace(database: Database) -> Trace:
    """Read what is there now."""
    found = {
        "venue": database.query(VENUE_ORDERS),
        "journal": database.query(JOURNAL_ORDERS),
        "positions": database.query(POSITIONS),
        "signals": database.query(SIGNALS),
    }
    sets = {name: frozenset(rows) for name, rows in found.items()}
    return Trace(**sets, rows={name: len(rows) for name, rows in found.items()})


def find_strays(actual: Trace) -> set[str]:
    """Return the client order ids that either the venue or the journal has, but not both."""
    return {row[0] for row in actual.venue} ^ {row[0] for row in actual.journal}


def find_differences(wanted: Trace, actual: Trace) -> list[str]:
    """Return what is lost, what is too much, and where journal and venue disagree."""
    differences = []
    for part in ("venue", "journal", "positions", "signals"):
        lost = getattr(wanted, part) - getattr(actual, part)
        extra = getattr(actual, part) - getattr(wanted, part)
        differences += [f"{part} lost: {sorted(map(str, lost))[:3]}"] if lost else []
        differences += [f"{part} extra: {sorted(map(str, extra))[:3]}"] if extra else []
    if actual.venue != actual.journal:
        differences.append(f"venue and journal differ: {len(actual.venue ^ actual.journal)} rows")
    return differences
