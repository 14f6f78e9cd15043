"""Connections to TimescaleDB: a small pool that replaces broken connections."""

import select
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from pydantic import SecretStr

from trading_services.contract.settings import ServiceSettings

UNAVAILABLE = (psycopg2.OperationalError, psycopg2.InterfaceError)
"""What psycopg2 raises when the server is away, restarting, or has cut the connection."""

_IDLE_CHECK_SECONDS = 5.0

# A frozen server cannot keep to statement_timeout itself. A little more than that, and still less
# than the loop's deadline, so that the loop fails, beats and tries again instead of hanging.
ANSWER_SECONDS = 50.0
CONNECT_SECONDS = 3.0

_CONNECTED = (
    psycopg2.extensions.STATUS_READY,
    psycopg2.extensions.STATUS_BEGIN,
    psycopg2.extensions.STATUS_PREPARED,
)
_EVENTS = {
    psycopg2.extensions.POLL_READ: select.POLLIN,
    psycopg2.extensions.POLL_WRITE: select.POLLOUT,
}


def bound_answers(
    connect_seconds: float = CONNECT_SECONDS, answer_seconds: float = ANSWER_SECONDS
) -> None:
    """Have every connection of this process give up on a server that does not answer in time.

    The statement then raises psycopg2.OperationalError and its connection is closed.
    """

    def wait(connection: Connection) -> None:
        connected = connection.status in _CONNECTED
        seconds = answer_seconds if connected else connect_seconds
        deadline = time.monotonic() + seconds
        while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
            poller = select.poll()
            poller.register(connection.fileno(), _EVENTS[state])
            left = deadline - time.monotonic()
            if left <= 0 or not poller.poll(left * 1000):
                raise psycopg2.OperationalError(f"the server gave no answer for {seconds:g} s")

    psycopg2.extensions.set_wait_callback(wait)


@dataclass(frozen=True)
class DatabaseAddress:
    """Where the database is and who we are there; times in seconds."""

    host: str
    port: int
    user: str
    database: str
    password: SecretStr
    application_name: str
    connect_timeout: int = 3
    statement_timeout: int = 45


def build_address(settings: ServiceSettings, application_name: str) -> DatabaseAddress:
    """Return the address that the TIMESCALEDB_* settings name."""
    return DatabaseAddress(
        host=settings.timescaledb_host,
        port=settings.timescaledb_port,
        user=settings.timescaledb_user,
        database=settings.timescaledb_database,
        password=settings.timescaledb_password,
        application_name=application_name,
    )


class Database:
    """Pooled connections, at most `size` at once; safe across threads."""

    def __init__(self, address: DatabaseAddress, size: int = 4) -> None:
        """Open nothing yet: the first use connects."""
        self.address = address
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[tuple[Connection, float]] = []

    def connect(self) -> Connection:
        """Open a connection outside the pool, e.g. for a session's advisory lock."""
        address = self.address
        return psycopg2.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            dbname=address.database,
            password=address.password.get_secret_value(),
            application_name=address.application_name,
            connect_timeout=address.connect_timeout,
            # A server that vanished without a word is noticed within about 15 s.
            keepalives_idle=5,
            keepalives_interval=5,
            keepalives_count=2,
            tcp_user_timeout=15000,
            options=f"-c statement_timeout={address.statement_timeout}s -c timezone=UTC",
        )

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Give a cursor whose work is committed at the end, or rolled back on any error."""
        with self._slots:
            connection = self._take()
            try:
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self._give_back_unless_broken(connection)

    def query(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """Run one statement in its own transaction and return all its rows as tuples."""
        with self.transaction() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall())

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> int:
        """Run one statement in its own transaction and return the number of rows it touched."""
        with self.transaction() as cursor:
            cursor.execute(sql, parameters or None)
            return int(cursor.rowcount)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _take(self) -> Connection:
        while (found := self._pop_idle()) is not None:
            connection, since = found
            if time.monotonic() - since < _IDLE_CHECK_SECONDS or _answers(connection):
                return connection
            connection.close()
        return self.connect()

    def _pop_idle(self) -> tuple[Connection, float] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back_unless_broken(self, connection: Connection) -> None:
        if connection.closed:
            # The server went away, so the other idle connections are dead too.
            self.close()
            return
        with self._lock:
            self._idle.append((connection, time.monotonic()))


def _roll_back(connection: Connection) -> None:
    # A cut connection cannot be asked; the error that says why it is cut must stay the one raised.
    with suppress(*UNAVAILABLE):
        connection.rollback()


def _answers(connection: Connection) -> bool:
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except UNAVAILABLE:
        return False
    return True
