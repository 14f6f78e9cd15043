"""A real TimescaleDB for tests: the image's own files and entry point, on a loopback port."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
from pydantic import SecretStr

from trading_services.database.connection import Database, DatabaseAddress

REPOSITORY = Path(__file__).resolve().parents[2]

_PASSWORD = "only-for-tests"
_START_SECONDS = 60.0

# Durability is not what these tests are about, and a shared disk is slow.
_ARGUMENTS = (
    "listen_addresses=127.0.0.1",
    "shared_preload_libraries=timescaledb,pg_stat_statements",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=128MB",
    "max_connections=120",
    "timescaledb.telemetry_level=off",
    "timescaledb.max_background_workers=0",
)


@dataclass(frozen=True)
class TimescaleServer:
    """A running server; `admin` is its first database, only used to make others."""

    admin: DatabaseAddress

    def address_of(self, database: str) -> DatabaseAddress:
        """Return the address of another database of the server."""
        return replace(self.admin, database=database)

    def create_database(self, name: str) -> DatabaseAddress:
        """Make an empty database."""
        # template0: the other templates may have a visitor, who would forbid the copy.
        self._run(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.address_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and whoever is connected to it."""
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        connection = Database(self.admin).connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


def find_free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_timescale(folder: Path) -> Iterator[TimescaleServer]:
    """Run a server with its data and its log under `folder`; stop it at the end."""
    port = find_free_port()
    admin = DatabaseAddress("127.0.0.1", port, "trading", "trading", SecretStr(_PASSWORD), "tests")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            _build_command(folder / "data", port),
            cwd=REPOSITORY,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )
        try:
            _wait_until_up(admin, process, folder / "server.log")
            yield TimescaleServer(admin)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _build_command(data: Path, port: int) -> list[str]:
    settings = [part for argument in _ARGUMENTS for part in ("-c", argument)]
    environment = {
        "POSTGRES_USER": "trading",
        "POSTGRES_DB": "trading",
        "POSTGRES_PASSWORD": _PASSWORD,
        "PGDATA": "/var/lib/postgresql/data/pgdata",
    }
    given = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    return [
        *(sys.executable, "-m", "images", "run", "timescaledb"),
        *("--mount", f"{data}:/var/lib/postgresql/data"),
        *given,
        *("--", "postgres", "-p", str(port)),
        *settings,
    ]


def _die_with_parent() -> None:
    """Have the kernel end the server when the tests are killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    os.setpgid(0, 0)


def _wait_until_up(admin: DatabaseAddress, process: subprocess.Popen[bytes], log: Path) -> None:
    # The first use on a machine unpacks the image, or even builds it; only then the clock counts.
    deadline: float | None = None
    while process.poll() is None:
        if deadline is None and (log.parent / "data").exists():
            deadline = time.monotonic() + _START_SECONDS
        try:
            Database(admin).connect().close()
        except psycopg2.OperationalError:
            if deadline is not None and time.monotonic() > deadline:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"TimescaleDB did not start:\n{log.read_text(errors='replace')[-4000:]}")
