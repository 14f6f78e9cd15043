"""Facts as of a snapshot that a dump shares, though TRUNCATE and its like heed no snapshot.

Whoever holds a lock on a table while a dump begins makes the dump wait behind everybody who wants
to truncate that table, for ever. So each table's facts are read in a transaction of their own, and
its files tell afterwards whether the dump saw the same table.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from trading_backup.manifest import Facts
from trading_backup.postgresql.connection import Connection, query
from trading_backup.postgresql.facts import find_tables, read_table

Files = Mapping[int, int | None]  # of a table and its parts, by their oid
# The function reads the catalogue as it is, not as of the snapshot: that is what is asked for here.
_FILES = """
WITH RECURSIVE part(oid) AS (
    SELECT %s::regclass::oid
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.oid)
SELECT oid::bigint, pg_relation_filenode(oid)::bigint FROM part"""
_NOW = "SELECT oid::bigint, pg_relation_filenode(oid::oid)::bigint FROM unnest(%s) AS known(oid)"


@dataclass(frozen=True)
class Snapshot:
    """A moment of a database that several sessions see."""

    name: str
    as_of: datetime


@dataclass(frozen=True)
class DatedFacts:
    """Facts of tables, and the files that they were read from."""

    facts: Facts
    files: Mapping[str, Files]


@contextmanager
def exported(connection: Connection) -> Iterator[Snapshot]:
    """Export a snapshot that lasts as long as the block, and locks no table."""
    query(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    [(name, as_of)] = query(connection, "SELECT pg_export_snapshot(), now()")
    yield Snapshot(str(name), as_of)
    query(connection, "COMMIT")


def read_dated_facts(connection: Connection, snapshot: Snapshot, row_hashes: bool) -> DatedFacts:
    """Read the facts of all tables as of a snapshot; none stays locked."""
    facts: Facts = {}
    files: dict[str, Files] = {}
    with _seeing(connection, snapshot):
        tables = find_tables(connection)
    for table in tables:
        with _seeing(connection, snapshot):
            facts[table.name] = read_table(connection, table, row_hashes)
            files[table.name] = dict(query(connection, _FILES, table.spelled(connection)))
    return DatedFacts(facts, files)


def keep_steady(connection: Connection, dated: DatedFacts) -> Facts:
    """Return the facts of the tables that have had the same files ever since."""
    known = [oid for files in dated.files.values() for oid in files]
    now: dict[int, int | None] = dict(query(connection, _NOW, known))
    return {
        name: facts
        for name, facts in dated.facts.items()
        if all(now.get(oid) == file for oid, file in dated.files[name].items())
    }


@contextmanager
def _seeing(connection: Connection, snapshot: Snapshot) -> Iterator[None]:
    query(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    query(connection, "SET TRANSACTION SNAPSHOT %s", snapshot.name)
    yield
    query(connection, "COMMIT")
