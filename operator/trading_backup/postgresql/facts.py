"""What is true of a database's tables: rows, the newest time, and a digest of all rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from trading_backup.manifest import Facts
from trading_backup.postgresql.connection import Connection, query

# A name that no column has: a column of that name would be read in place of the whole row.
_ROW = "the row that trading_backup reads"
# Not what an extension brings or keeps for itself, and partitions only through their parents.
# Materialised views are no data of their own: a restore computes them anew.
_TABLES = """
SELECT n.nspname, c.relname, (
    SELECT a.attname FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
    ORDER BY a.attnum LIMIT 1)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND ({own})
ORDER BY 1, 2
"""
# What a continuous aggregate holds: its raw rows may be gone by now, and nothing computes it anew.
_AGGREGATES = """n.nspname = '_timescaledb_internal'
  AND c.relname ~ '^_materialized_hypertable_[0-9]+$'"""
# A server that starts on copied files empties what it does not log.
_UNLOGGED = """EXISTS (
    WITH RECURSIVE part(oid) AS (
        SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.oid)
    SELECT FROM pg_class p JOIN part ON part.oid = p.oid WHERE p.relpersistence = 'u')"""
OWN = """c.relpersistence <> 't' AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^(pg_|_?timescaledb_)'
  AND NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"""
# A sum does not depend on the order of rows; md5 is the same on every machine and version.
_DIGEST = """coalesce(
    sum(('x' || left(md5({row}::text), 16))::bit(64)::bigint::numeric), 0)::text"""


@dataclass(frozen=True)
class Table:
    """A table that holds data of its own."""

    schema: str
    relation: str
    newest: str | None  # its first column of a time

    @property
    def name(self) -> str:
        """Its name in facts."""
        return f"{self.schema}.{self.relation}"

    def spelled(self, connection: Connection) -> str:
        """Return its name as a statement spells it."""
        return str(sql.Identifier(self.schema, self.relation).as_string(connection))


def read_facts(connection: Connection, row_hashes: bool) -> Facts:
    """Read the facts of all tables as they are now."""
    tables = find_tables(connection)
    return {table.name: read_table(connection, table, row_hashes) for table in tables}


def read_logged_facts(connection: Connection, row_hashes: bool) -> tuple[Facts, list[str]]:
    """Read the facts that a copy of the server's files keeps, and the tables that it empties.

    Not of aggregates: a server that runs on the files refreshes them.
    """
    logged = _find_tables(connection, f"{OWN} AND NOT {_UNLOGGED}")
    unlogged = _find_tables(connection, f"{OWN} AND {_UNLOGGED}")
    facts = {table.name: read_table(connection, table, row_hashes) for table in logged}
    return facts, [table.name for table in unlogged]


def find_tables(connection: Connection) -> list[Table]:
    """Return the tables with data of their own."""
    return _find_tables(connection, f"{OWN} OR {_AGGREGATES}")


def _find_tables(connection: Connection, own: str) -> list[Table]:
    return [Table(*row) for row in query(connection, _TABLES.format(own=own))]


def read_table(connection: Connection, table: Table, row_hashes: bool) -> dict[str, int | str]:
    """Read the facts of a table; in a transaction it stays locked as it was read."""
    # Names of types and tables inside of rows are spelled by what the path leads to.
    query(connection, "SET search_path TO pg_catalog")
    statement = sql.SQL("SELECT count(*), {newest}, {digest} FROM {table} AS {row}").format(
        newest=_newest(table.newest),
        digest=_digest() if row_hashes else sql.SQL("NULL"),
        table=sql.Identifier(table.schema, table.relation),
        row=sql.Identifier(_ROW),
    )
    [(rows, time, digest)] = query(connection, statement)
    found = {"rows": rows, "newest": time, "hash": digest}
    return {measure: value for measure, value in found.items() if value is not None}


def _newest(column: str | None) -> Any:
    if column is None:
        return sql.SQL("NULL")
    return sql.SQL("max({})::text").format(sql.Identifier(column))


def _digest() -> Any:
    return sql.SQL(_DIGEST).format(row=sql.Identifier(_ROW))


def read_versions(connection: Connection) -> dict[str, str]:
    """Read the versions of the server and of the database's extensions."""
    [(server,)] = query(connection, "SHOW server_version")
    extensions = query(connection, "SELECT extname, extversion FROM pg_extension ORDER BY 1")
    return {"server": server} | {f"extension {name}": version for name, version in extensions}


def count_own_relations(connection: Connection) -> int:
    """Count what somebody made in the database: tables, views, sequences."""
    statement = f"""SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {OWN}"""
    [(count,)] = query(connection, statement)
    return int(count)


def find_untrue(connection: Connection, statements: Sequence[str]) -> list[str]:
    """Return the queries whose first value is not true, in a transaction that cannot write."""
    query(connection, "BEGIN READ ONLY")
    try:
        return [text for text in statements if _first(query(connection, text)) is not True]
    finally:
        query(connection, "ROLLBACK")


def _first(rows: Sequence[Sequence[Any]]) -> Any:
    return rows[0][0] if rows and rows[0] else None
