"""A moment of a database, and whether its tables are since what they were then.

TRUNCATE, and an ALTER TABLE that writes a table anew, heed no snapshot: to one from before, the
table is empty. Whoever holds a lock on a table while a dump begins makes the dump wait behind
everybody who wants to truncate that table, for ever. So nothing is locked, and the tables' files
tell whether a dump, or who reads facts, saw the tables of that moment.
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
_ALL = """
SELECT c.oid::bigint, pg_relation_filenode(c.oid)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"""
_FILES = """
WITH RECURSIVE part(oid) AS (
    SELECT %s::regclass::oid
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.oid)
SELECT oid::bigint, pg_relation_filenode(oid)::bigint FROM part"""
_NOW = """
SELECT oid::bigint, pg_relation_filenode(oid::oid)::bigint, oid::oid::regclass::text
FROM unnest(%s::bigint[]) AS known(oid)"""


@dataclass(frozen=True)
class Snapshot:
    """A moment of a database that several sessions see."""

    name: str
    as_of: datetime
    files: Files  # of every table that the snapshot sees


@dataclass(frozen=True)
class DatedFacts:
    """Facts of tables, and the files that they were read from."""

    facts: Facts
    files: Mapping[str, Files]


@contextmanager
def exported(connection: Connection) -> Iterator[Snapshot]:
    """Export a snapshot that lasts as long as the block, and locks no table."""
    # Read first: a table that is rewritten between both is not to be missed.
    earlier: Files = dict(query(connection, _ALL))
    query(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    [(name, as_of)] = query(connection, "SELECT pg_export_snapshot(), now()")
    files = {oid: earlier.get(oid, file) for oid, file in query(connection, _ALL)}
    yield Snapshot(str(name), as_of, files)
    query(connection, "COMMIT")


def find_changed(connection: Connection, snapshot: Snapshot) -> dict[int, str]:
    """Return the tables that were emptied, rewritten or dropped since, with their names."""
    now = query(connection, _NOW, list(snapshot.files))
    return {oid: name for oid, file, name in now if file != snapshot.files[oid]}


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


def keep_steady(dated: DatedFacts, snapshot: Snapshot) -> Facts:
    """Return the facts that were read from the files that the tables had at the snapshot."""
    return {
        name: facts
        for name, facts in dated.facts.items()
        # What has no file of its own, as a partitioned table, has parts that have.
        if all(snapshot.files.get(oid, file) == file for oid, file in dated.files[name].items())
    }


@contextmanager
def _seeing(connection: Connection, snapshot: Snapshot) -> Iterator[None]:
    query(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    query(connection, "SET TRANSACTION SNAPSHOT %s", snapshot.name)
    yield
    query(connection, "COMMIT")
