"""A server whose database is backed up, and one that restores go to."""

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from contract.images.database import Volume

_numbers = count(1)
ENGINES = ["postgresql", "timescaledb"]
on_both = pytest.mark.parametrize("servers", ENGINES, indirect=True, scope="module")


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
