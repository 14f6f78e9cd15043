"""Connections to a PostgreSQL server, and the environment of its client programs."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import extensions

from trading_backup.errors import BackupError
from trading_backup.job import PostgreSQLTarget
from trading_backup.programs import Command
from trading_backup.reasons import Reason
from trading_backup.stopping import Stop
from trading_backup.tools import Tools

Connection = Any  # psycopg2 has no types

# Every server has this database, and nobody backs it up or restores it.
MAINTENANCE = "postgres"
_CONNECT_SECONDS = 10
_STOP_CHECK_SECONDS = 0.5
# One spelling of every value wherever it is read, no limit that the server's owner set for others,
# and an end to statements of ours whose client was killed.
_SESSION = {
    "application_name": "trading-backup",
    "bytea_output": "hex",
    "client_connection_check_interval": "10s",
    "datestyle": "ISO,YMD",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "intervalstyle": "postgres",
    "lc_monetary": "C",
    "lock_timeout": "5min",
    "row_security": "off",
    "statement_timeout": "0",
    "timezone": "UTC",
}
_WRONG = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "no password supplied",
)


class Server:
    """The server of a target, as its user sees it."""

    def __init__(self, target: PostgreSQLTarget, tools: Tools) -> None:
        """Read the password; nothing is connected yet."""
        self.target = target
        self._stop = tools.stop
        self._password = tools.secrets.read(target.password_file, target.name)

    @contextmanager
    def connected(self, database: str, undoing: bool = False) -> Iterator[Connection]:
        """Connect for the time of the block, with every statement committed by itself.

        What undoes something goes on also when the pod was told to stop.
        """
        connection = self._connect(database, Stop() if undoing else self._stop)
        try:
            connection.autocommit = True
            yield connection
        except psycopg2.Error as error:
            raise explain(self.target.name, error) from error
        finally:
            connection.close()

    def ask(self) -> None:
        """Ask whether the server answers; raises BackupError when not."""
        with self.connected(MAINTENANCE):
            pass

    def command(self, program: str, database: str, *words: str) -> Command:
        """Build a client program's command; the password goes by the child's environment."""
        environment = {
            "PGHOST": self.target.host,
            "PGPORT": str(self.target.port),
            "PGUSER": self.target.user,
            "PGDATABASE": database,
            "PGPASSWORD": self._password,
            "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
            "PGAPPNAME": "trading-backup",
        }
        return Command((program, *words), environment)

    def _connect(self, database: str, stop: Stop) -> Connection:
        # Without the callback libpq keeps its own deadline for the connection.
        extensions.set_wait_callback(None)
        try:
            return psycopg2.connect(
                host=self.target.host,
                port=self.target.port,
                user=self.target.user,
                password=self._password,
                dbname=database,
                connect_timeout=_CONNECT_SECONDS,
                keepalives_idle=60,
                options=" ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
            )
        except psycopg2.OperationalError as error:
            raise explain(self.target.name, error) from error
        finally:
            extensions.set_wait_callback(partial(_wait, stop))


def _wait(stop: Stop, connection: Connection) -> None:
    """Wait for the server and notice SIGTERM, which libpq's own waiting would not."""
    while (state := connection.poll()) != extensions.POLL_OK:
        stop.check()
        descriptors = [connection.fileno()]
        reading = descriptors if state == extensions.POLL_READ else []
        writing = descriptors if state == extensions.POLL_WRITE else []
        select.select(reading, writing, [], _STOP_CHECK_SECONDS)


def query(connection: Connection, statement: Any, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement; return its rows, none where it gives none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall()) if cursor.description else []


def explain(target: str, error: psycopg2.Error) -> BackupError:
    """Say what the server's error means for the run."""
    words = " ".join(str(error).split())
    if getattr(error, "pgcode", None) is not None:
        mend = "read the server's log and mend the cause"
        return BackupError(Reason.TARGET_REFUSED, f"{target}: the database said: {words}", mend)
    if any(sign in words for sign in _WRONG):
        mend = "check user, database and the password's Secret"
        problem = f"{target}: no login: {words}"
        return BackupError(Reason.AUTHENTICATION_FAILED, problem, mend, permanent=True)
    mend = "look whether the datastore is Ready and this pod may reach it"
    return BackupError(Reason.TARGET_UNREACHABLE, f"{target}: no connection: {words}", mend)
