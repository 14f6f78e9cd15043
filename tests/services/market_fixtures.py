"""Builds a database of its own with a world in it, a trained model, and the strategy's runs."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import World, train_first_model, write_world
from trading_services.database.connection import Database
from trading_services.database.migrations import apply_migrations


@contextmanager
def open_market(server: TimescaleServer, world: World, folder: Path) -> Iterator[StrategyRuns]:
    """Give the runs of a strategy on a fresh database that holds the world and its model."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"market_{uuid.uuid4().hex}"
    database = Database(server.create_database(name))
    apply_migrations(database)
    write_world(database, world)
    train_first_model(database, world, folder / "models")
    runs = StrategyRuns(database, folder / "models", folder)
    try:
        yield runs
    finally:
        runs.close()
        database.close()
        server.drop_database(name)
