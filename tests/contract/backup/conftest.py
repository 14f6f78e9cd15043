"""Databases to back up and to restore to, started once for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.backup.backup_job import BackupJob
from contract.backup.servers import Servers
from contract.images.database import PASSWORD, Volume


# TimescaleDB is PostgreSQL with more; tests of what may differ take both.
@pytest.fixture(scope="module", params=["timescaledb"])
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
