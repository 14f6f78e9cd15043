"""A PostgreSQL of ours with bars of a market, as a trading system fills it."""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from bench.backups.image import Image, find_free_port, wait_until
from bench.backups.probes import Query

USER, DATABASE, PASSWORD = "trader", "trading", "of the bench"
_DATA = "/var/lib/postgresql/data"
_SECRET = "/run/secrets/database/password"
_POSTGRES = 70
_SETTINGS = ("shared_buffers=256MB", "summarize_wal=on", "max_wal_size=4GB")
_FILL = """
CREATE TABLE bars (id bigint PRIMARY KEY, at timestamptz NOT NULL, symbol text NOT NULL,
    open float8, high float8, low float8, close float8, volume bigint);
INSERT INTO bars SELECT n, timestamptz '2026-01-01' + n * interval '1 second', 'S' || n %% 40,
    100 + random(), 101 + random(), 99 + random(), 100 + random(), (random() * 1e6)::bigint
FROM generate_series(1, %s) n;
CREATE INDEX ON bars (symbol, at);
CREATE TABLE orders (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), price float8);
"""


@dataclass(frozen=True)
class Database:
    """One server, its data in a folder."""

    folder: Path
    port: int = field(default_factory=find_free_port)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the end of the block."""
        data, secret = self.folder / "data", self.folder / "password"
        data.mkdir(parents=True)
        os.chown(data, 0, _POSTGRES)
        data.chmod(0o2775)
        secret.write_text(PASSWORD)
        environment = {
            "POSTGRES_USER": USER,
            "POSTGRES_DB": DATABASE,
            "POSTGRES_PASSWORD_FILE": _SECRET,
            "PGDATA": f"{_DATA}/pgdata",
        }
        mounts = {_DATA: data, _SECRET: secret}
        image = Image("postgresql", self.folder / "log", mounts, environment)
        settings = (f"port={self.port}", "listen_addresses=127.0.0.1", *_SETTINGS)
        with image.serving([part for each in settings for part in ("-c", each)]):
            wait_until(self._answers)
            yield

    def fill(self, rows: int) -> int:
        """Fill the tables; return the database's size in bytes."""
        self.ask(_FILL, rows)
        # Hint bits are written by the first reader: as a part of the filling, not of a backup.
        self.ask("VACUUM ANALYZE")
        self.ask("CHECKPOINT")
        [(size,)] = self.ask("SELECT pg_database_size(current_database())")
        return int(size)

    def change(self, rows: int) -> None:
        """Write as an hour of trading does: new rows, and recent ones changed."""
        self.ask("INSERT INTO orders (price) SELECT random() FROM generate_series(1, %s)", rows)
        self.ask("UPDATE bars SET volume = volume + 1 WHERE id <= %s", rows // 10)

    def make(self, name: str) -> str:
        """Make an empty database beside, in place of one of that name."""
        self.ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows, none for a command."""
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, values or None)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    @contextmanager
    def probed(self, rows: int) -> Iterator[list[Query]]:
        """Ask as a strategy does, all the time; each query is in the list."""
        queries: list[Query] = []
        ended = threading.Event()
        thread = threading.Thread(target=self._probe, args=(rows, queries, ended))
        thread.start()
        try:
            yield queries
        finally:
            ended.set()
            thread.join()

    def _probe(self, rows: int, queries: list[Query], ended: threading.Event) -> None:
        connection, chance = self._connect(), random.Random(1)
        with connection.cursor() as cursor:
            while not ended.is_set():
                # The time of day, which the spans of the subjects are in as well.
                asked, began = time.time(), time.perf_counter()
                cursor.execute("SELECT * FROM bars WHERE id = %s", (chance.randint(1, rows),))
                cursor.execute("INSERT INTO orders (price) VALUES (1)")
                queries.append(Query(asked, time.perf_counter() - began))
                time.sleep(0.002)
        connection.close()

    def _connect(self) -> Any:
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, dbname=DATABASE, password=PASSWORD
        )
        connection.autocommit = True
        return connection

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True
