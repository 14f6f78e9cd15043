"""Databases to back up and to restore to, started once for all tests of a module."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contract.backup.backup_job import BackupJob
from contract.images.database import PASSWORD, Volume

_numbers = count(1)


@dataclass(frozen=True)
class Servers:
    """A server whose database is backed up, and one that restores go to."""

    source: Volume
    target: Volume

    @property
    def engine(self) -> str:
        """The engine's name in a job file."""
        return "TimescaleDB" if self.source.image == "timescaledb" else "PostgreSQL"

    def target_of(self, volume: Volume, database: str = "trading") -> dict[str, Any]:
        """A target of a job file."""
        return {
            "name": "db",
            "engine": self.engine,
            "host": "127.0.0.1",
            "port": volume.port,
            "user": "trader",
            "database": database,
            "passwordFile": "/run/secrets/db/password",
        }

    def make_database(self) -> str:
        """Make an empty database to restore to."""
        name = f"empty{next(_numbers)}"
        self.target.read(f"CREATE DATABASE {name}")
        return name

    def make_source(self) -> str:
        """Make a database to back up."""
        name = f"source{next(_numbers)}"
        self.source.read(f"CREATE DATABASE {name}")
        return name


@pytest.fixture(scope="module", params=["postgresql", "timescaledb"])
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    source = Volume(request.param, tmp_path_factory.mktemp("source"))
    target = Volume(request.param, tmp_path_factory.mktemp("target"))
    with source.run_ready(), target.run_ready():
        yield Servers(source, target)


@pytest.fixture
def source(servers: Servers) -> str:
    """The name of a database that a test may fill and back up."""
    return servers.make_source()


@pytest.fixture
def job(servers: Servers, source: str, tmp_path: Path) -> BackupJob:
    """A Backup of that database."""
    made = BackupJob(tmp_path / "job", [servers.target_of(servers.source, source)])
    made.write_secret("db", PASSWORD)
    return made
