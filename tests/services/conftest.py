"""Fixtures for tests of the services: a real TimescaleDB and real service processes."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.service_process import ServiceProcess, run_service
from services.timescale_server import TimescaleServer, run_timescale
from trading_services.database.connection import Database
from trading_services.database.migrations import apply_migrations

StartService = Callable[..., ServiceProcess]


@pytest.fixture(scope="session")
def timescaledb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimescaleServer]:
    """One server for the session."""
    with run_timescale(tmp_path_factory.mktemp("timescaledb")) as server:
        yield server


@pytest.fixture
def empty_database(timescaledb: TimescaleServer) -> Iterator[Database]:
    """A database of this test's own with nothing in it."""
    name = f"test_{uuid.uuid4().hex}"
    database = Database(timescaledb.create_database(name))
    yield database
    database.close()
    timescaledb.drop_database(name)


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database of this test's own with all migrations applied."""
    apply_migrations(empty_database)
    return empty_database


@pytest.fixture
def database_env(empty_database: Database, tmp_path: Path) -> dict[str, str]:
    """What the operator would tell a service about this test's database."""
    address = empty_database.address
    secret = tmp_path / "database-password"
    secret.write_text(address.password.get_secret_value())
    return {
        "TIMESCALEDB_HOST": address.host,
        "TIMESCALEDB_PORT": str(address.port),
        "TIMESCALEDB_USER": address.user,
        "TIMESCALEDB_DATABASE": address.database,
        "TIMESCALEDB_PASSWORD_FILE": str(secret),
    }


@pytest.fixture
def start_service(database_env: dict[str, str], tmp_path: Path) -> Iterator[StartService]:
    """Start components: start_service("data-acquisition", REPLAY_SPEED="100")."""
    started: list[ServiceProcess] = []

    def start(component: str, **environment: str) -> ServiceProcess:
        service = run_service(component, tmp_path, {**database_env, **environment})
        started.append(service)
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.kill()
