"""The latched halt: a row that outlives restarts until a person releases it."""

from trading_services.database.connection import Database

_READ = "SELECT reason FROM trading_halts WHERE strategy = %s"

_WRITE = """
INSERT INTO trading_halts (strategy, reason) VALUES (%s, %s) ON CONFLICT (strategy) DO NOTHING
"""

_DELETE = "DELETE FROM trading_halts WHERE strategy = %s"


def read_halt(database: Database, strategy: str) -> str | None:
    """Return why the strategy is halted, or None."""
    rows = database.query(_READ, (strategy,))
    return str(rows[0][0]) if rows else None


def write_halt(database: Database, strategy: str, reason: str) -> None:
    """Halt the strategy until a person releases it; the first reason stays."""
    database.execute(_WRITE, (strategy, reason))


def delete_halt(database: Database, strategy: str) -> bool:
    """Release the halt and return whether there was one."""
    return database.execute(_DELETE, (strategy,)) > 0
