"""Migrations: the SQL files of `schema/`, in name order, each applied once and recorded."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from trading_services.database.connection import Database

# Any fixed number serves: it names the lock that two controllers would fight for.
_LOCK_KEY = 7_204_015_518_203

_RECORD_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)
"""


class MigrationError(Exception):
    """The database's history and the shipped files do not agree."""


@dataclass(frozen=True)
class Migration:
    """One SQL file and the digest of its content."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file's content, as hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Traversable | None = None) -> list[Migration]:
    """Read the shipped migrations (or those of `folder`) in name order."""
    place = folder or files("trading_services.database") / "schema"
    found = [entry for entry in place.iterdir() if entry.name.endswith(".sql")]
    return [
        Migration(entry.name, entry.read_text(encoding="utf-8"))
        for entry in sorted(found, key=lambda entry: entry.name)
    ]


def apply_migrations(database: Database, migrations: list[Migration] | None = None) -> list[str]:
    """Apply what is not yet recorded, under one lock; return the names applied now.

    Raises MigrationError when a file changed after it was applied.
    """
    wanted = read_migrations() if migrations is None else migrations
    connection = database.connect()
    try:
        with _advisory_lock(connection):
            recorded = _read_recorded(connection)
            missing = _find_missing(wanted, recorded)
            for migration in missing:
                _apply(connection, migration)
            return [migration.name for migration in missing]
    finally:
        connection.close()


def find_unapplied(database: Database) -> list[str]:
    """Return the names of shipped migrations that the database has not seen yet."""
    rows = database.query("SELECT to_regclass('schema_migrations') IS NOT NULL")
    if not rows[0][0]:
        return [migration.name for migration in read_migrations()]
    recorded = dict(database.query("SELECT name, digest FROM schema_migrations"))
    return [migration.name for migration in _find_missing(read_migrations(), recorded)]


def _find_missing(wanted: list[Migration], recorded: dict[str, str]) -> list[Migration]:
    for migration in wanted:
        if recorded.get(migration.name, migration.digest) != migration.digest:
            raise MigrationError(
                f"schema/{migration.name} was changed after it was applied (recorded digest "
                f"{recorded[migration.name][:12]}, now {migration.digest[:12]}): restore the file "
                "and put the change into a new one"
            )
    return [migration for migration in wanted if migration.name not in recorded]


@contextmanager
def _advisory_lock(connection: Connection) -> Iterator[None]:
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
    try:
        yield
    finally:
        # The lock ends with the session anyway; a broken one cannot be asked.
        if not connection.closed:
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", (_LOCK_KEY,))


def _read_recorded(connection: Connection) -> dict[str, str]:
    with connection, connection.cursor() as cursor:
        cursor.execute(_RECORD_TABLE)
        cursor.execute("SELECT name, digest FROM schema_migrations")
        return dict(cursor.fetchall())


def _apply(connection: Connection, migration: Migration) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(migration.sql)
        cursor.execute(
            "INSERT INTO schema_migrations (name, digest) VALUES (%s, %s)",
            (migration.name, migration.digest),
        )
