"""Databases: a new one beside the former, and their exchange in one transaction."""

from dataclasses import dataclass

from psycopg2 import sql

from trading_backup.errors import BackupError
from trading_backup.postgresql.connection import MAINTENANCE, Connection, Server, query
from trading_backup.reasons import Reason

_LONGEST = 63
_TERMINATE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid()"""


@dataclass(frozen=True)
class Place:
    """A database, the one that is restored beside it, and the name that the former one gets."""

    database: str

    @property
    def beside(self) -> str:
        """The database that a set is restored to before it takes the former one's place."""
        return self._suffixed("_restoring")

    @property
    def former(self) -> str:
        """What the replaced database is called afterwards."""
        return self._suffixed("_replaced")

    @property
    def surplus(self) -> str:
        """What a database is called that goes at once."""
        return self._suffixed("_surplus")

    def _suffixed(self, suffix: str) -> str:
        return f"{self.database[: _LONGEST - len(suffix)]}{suffix}"


def make_beside(server: Server, place: Place) -> None:
    """Make an empty database beside the former one, in place of one that a killed run left."""
    with server.connected(MAINTENANCE) as connection:
        _drop(connection, place.beside)
        owner = _read_owner(connection, place.database) or server.target.user
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
            sql.Identifier(place.beside), sql.Identifier(owner)
        )
        query(connection, statement)


def exchange(server: Server, place: Place, keeper: str | None) -> list[str]:
    """Let the restored database take the former one's name; return warnings of what that leaves.

    The former one is kept for a `keeper`, the id of a restore. What the same restore has put there
    before, from another pod, goes instead: it is the second to come that would be lost else.
    """
    with server.connected(MAINTENANCE) as connection:
        warnings = _find_lost_settings(connection, place.database)
        existed = _read_owner(connection, place.database) is not None
        again = bool(keeper) and _read_comment(connection, place.former) == _mark(keeper)
        away = place.surplus if keeper is None or again else place.former
        _drop(connection, place.surplus)
        if existed:
            _drop(connection, away)
            _allow_connections(connection, place.database, False)
        try:
            _rename(connection, place, away if existed else None, _mark(keeper))
        except BaseException:
            query(connection, "ROLLBACK")
            if existed:
                _allow_connections(connection, place.database, True)
            raise
        _drop(connection, place.surplus)
    if existed and keeper is not None:
        warnings.append(
            f"{server.target.name}: the former database is kept as {place.former}, closed for "
            "connections: drop it when nothing of it is missed"
        )
    return warnings


def _rename(connection: Connection, place: Place, away: str | None, mark: str) -> None:
    """Rename both in one transaction: killed at any moment, the name is one of the two."""
    names = [(place.beside, place.database)]
    if away is not None:
        names.insert(0, (place.database, away))
    for old, _ in names:
        query(connection, _TERMINATE, old)
    query(connection, "BEGIN")
    for old, new in names:
        statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        query(connection, statement.format(sql.Identifier(old), sql.Identifier(new)))
    if away == place.former:
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
        query(connection, statement.format(sql.Identifier(away), sql.Literal(mark)))
    query(connection, "COMMIT")


def _mark(keeper: str | None) -> str:
    return f"replaced by restore {keeper}" if keeper else "replaced by a restore"


def _read_comment(connection: Connection, database: str) -> str | None:
    statement = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    rows = query(connection, statement, database)
    return rows[0][0] if rows else None


def _allow_connections(connection: Connection, database: str, allowed: bool) -> None:
    statement = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    query(connection, statement.format(sql.Identifier(database), sql.Literal(allowed)))


def _drop(connection: Connection, database: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
    query(connection, statement)


def _read_owner(connection: Connection, database: str) -> str | None:
    statement = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
    rows = query(connection, statement, database)
    return str(rows[0][0]) if rows else None


def _find_lost_settings(connection: Connection, database: str) -> list[str]:
    """Warn of ALTER DATABASE ... SET, which a dump of one database does not hold."""
    statement = """SELECT s.setconfig FROM pg_db_role_setting s
        JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = %s"""
    settings = [text for (texts,) in query(connection, statement, database) for text in texts]
    kept = [text for text in settings if not text.startswith("timescaledb.restoring=")]
    if not kept:
        return []
    return [f"{database}: set again with ALTER DATABASE, a set does not hold it: {', '.join(kept)}"]


def refuse_missing(server: Server, database: str) -> None:
    """Raise BackupError when the database that a set is to go to does not exist."""
    with server.connected(MAINTENANCE) as connection:
        if _read_owner(connection, database) is None:
            raise BackupError(
                Reason.TARGET_UNSUITABLE,
                f"{server.target.name}: there is no database {database}",
                "create it empty first",
                permanent=True,
            )
