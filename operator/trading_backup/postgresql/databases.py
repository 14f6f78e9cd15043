"""Databases: a new one beside the former, and their exchange in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from psycopg2 import sql

from trading_backup.errors import BackupError
from trading_backup.postgresql.connection import MAINTENANCE, Connection, Server, query
from trading_backup.reasons import Reason

_LONGEST = 63
_TERMINATE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid()"""


# How CREATE DATABASE calls who knows a database's locale, and the locale.
_PROVIDERS = {"c": ("libc", ""), "i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}


@dataclass(frozen=True)
class Place:
    """A database, the one that is restored beside it, and the name that the former one gets."""

    database: str

    @property
    def beside(self) -> str:
        """The database that a set is restored to before it takes the former one's place."""
        return self._suffixed("_restoring")

    @property
    def formers(self) -> Iterator[str]:
        """What replaced databases are called: each keeps its name until a person drops it."""
        yield self._suffixed("_replaced")
        for number in count(2):
            yield self._suffixed(f"_replaced_{number}")

    @property
    def surplus(self) -> str:
        """What a database is called that goes at once."""
        return self._suffixed("_surplus")

    def _suffixed(self, suffix: str) -> str:
        return f"{self.database[: _LONGEST - len(suffix)]}{suffix}"


def make_beside(server: Server, place: Place) -> list[str]:
    """Make an empty database beside the former one, in place of one that a killed run left.

    It is made like the former one; return warnings of what cannot be.
    """
    with server.connected(MAINTENANCE) as connection:
        _drop(connection, place.beside)
        former = _read(connection, place.database)
        words = sql.SQL(" ").join(_spell_settings(former or {"owner": server.target.user}))
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}")
        query(connection, statement.format(sql.Identifier(place.beside), words))
    if not former or former["datacl"] is None:
        return []
    grants = ", ".join(former["datacl"])
    return [f"{place.database}: grant again on the database, a set does not hold it: {grants}"]


def drop_beside(server: Server, place: Place) -> None:
    """Drop a database that was restored and does not count, also when the pod is to stop."""
    with server.connected(MAINTENANCE, undoing=True) as connection:
        _drop(connection, place.beside)


def reopen(server: Server, place: Place) -> list[str]:
    """Let a database be connected to that a killed run left closed."""
    with server.connected(MAINTENANCE) as connection:
        found = _read(connection, place.database)
        if found is None or found["datallowconn"]:
            return []
        _allow_connections(connection, place.database, True)
    return [f"{place.database}: it was closed for connections, as a killed restore leaves it"]


def exchange(server: Server, place: Place, keeper: str | None) -> list[str]:
    """Let the restored database take the former one's name; return warnings of what that leaves.

    The former one is kept for a `keeper`, the id of a restore. What the same restore has put there
    before, from another pod, goes instead: it is the second to come that would be lost else.
    """
    with server.connected(MAINTENANCE) as connection:
        warnings = _find_lost_settings(connection, place.database)
        existed = _read(connection, place.database) is not None
        away, kept = _choose_former(connection, place, keeper)
        _drop(connection, place.surplus)
        session = connection.info.backend_pid  # known only while it is open
        try:
            if existed:
                _allow_connections(connection, place.database, False)
            _rename(connection, place, away if existed else None, _mark(keeper))
        except BaseException:
            if existed:
                _undo(server, place, session)
            raise
        _drop(connection, place.surplus)
    if existed and kept is not None:
        warnings.append(
            f"{server.target.name}: the former database is kept as {kept}, closed for "
            "connections: drop it when nothing of it is missed"
        )
    return warnings


def _choose_former(
    connection: Connection, place: Place, keeper: str | None
) -> tuple[str, str | None]:
    """Return what the former database is to be called, and where the one that is kept then is."""
    if keeper is None:
        return place.surplus, None
    for name in place.formers:
        found = _read(connection, name)
        if found is None:
            return name, name
        if keeper and found["comment"] == _mark(keeper):
            return place.surplus, name
    raise AssertionError("names do not end")


def _undo(server: Server, place: Place, session: int) -> None:
    """Let the former database be used again: the connection may be gone, and the pod to stop."""
    with server.connected(MAINTENANCE, undoing=True) as connection:
        # Its transaction, which may go on, would hold up what comes now.
        query(connection, "SELECT pg_terminate_backend(%s)", session)
        if _read(connection, place.database) is not None:
            _allow_connections(connection, place.database, True)


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
    if away is not None and away != place.surplus:
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
        query(connection, statement.format(sql.Identifier(away), sql.Literal(mark)))
    query(connection, "COMMIT")


def _mark(keeper: str | None) -> str:
    return f"replaced by restore {keeper}" if keeper else "replaced by a restore"


def _allow_connections(connection: Connection, database: str, allowed: bool) -> None:
    statement = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    query(connection, statement.format(sql.Identifier(database), sql.Literal(allowed)))


def _drop(connection: Connection, database: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
    query(connection, statement)


def _read(connection: Connection, database: str) -> dict[str, Any] | None:
    """Read what the catalogue says of a database; which columns it has depends on the version."""
    statement = """SELECT to_jsonb(d) || jsonb_build_object(
            'owner', pg_get_userbyid(datdba),
            'encoding', pg_encoding_to_char(encoding),
            'comment', shobj_description(oid, 'pg_database'))
        FROM pg_database d WHERE datname = %s"""
    rows = query(connection, statement, database)
    return dict(rows[0][0]) if rows else None


def _spell_settings(former: dict[str, Any]) -> list[sql.Composable]:
    """Spell what CREATE DATABASE is told for one that is like the former one."""
    words: list[sql.Composable] = [sql.SQL("OWNER {}").format(sql.Identifier(former["owner"]))]
    provider, word = _PROVIDERS.get(former.get("datlocprovider", ""), ("", ""))
    told = {
        "ENCODING": former.get("encoding"),
        "LC_COLLATE": former.get("datcollate"),
        "LC_CTYPE": former.get("datctype"),
        "LOCALE_PROVIDER": provider,
        "ICU_RULES": former.get("daticurules"),
    }
    if word:
        told[word] = former.get("datlocale") or former.get("daticulocale")
    return words + [
        sql.SQL(f"{word} {{}}").format(sql.Literal(value)) for word, value in told.items() if value
    ]


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
        if _read(connection, database) is None:
            raise BackupError(
                Reason.TARGET_UNSUITABLE,
                f"{server.target.name}: there is no database {database}",
                "create it empty first",
                permanent=True,
            )
