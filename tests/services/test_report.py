"""The report: what a person reads about a run, from the database alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.market_fixtures import open_market
from services.strategy_runs import StrategyRuns
from services.timescale_server import REPOSITORY, TimescaleServer
from services.trading_world import World
from trading_services.database.connection import Database
from trading_services.reporting.facts import read_facts
from trading_services.reporting.table import build_report

WORLD = World(symbols=("AAPL", "IBM"), bars=800)


@pytest.fixture
def market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path) as runs:
        yield runs


def _print_report(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trading_services", "report"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.acceptance("A72")
def test_the_report_shows_the_numbers_of_the_database(market: StrategyRuns) -> None:
    market.run_to_end()
    address = market.database.address
    printed = _print_report(
        {
            "TIMESCALEDB_HOST": address.host,
            "TIMESCALEDB_PORT": str(address.port),
            "TIMESCALEDB_USER": address.user,
            "TIMESCALEDB_DATABASE": address.database,
            "TIMESCALEDB_PASSWORD": address.password.get_secret_value(),
        }
    )
    summary = read_facts(market.database).summaries[0]
    counted = market.database.query(
        "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM fills), "
        "(SELECT count(*) FROM positions WHERE status = 'Open'), "
        "(SELECT count(*) FROM positions WHERE status = 'Closed'), "
        "(SELECT sum(profit_loss) FROM positions), (SELECT sum(cost) FROM fills)"
    )[0]
    columns = (
        "orders", "fills", "positions_open", "positions_closed", "realised_profit", "costs"
    )  # fmt: skip
    assert printed.returncode == 0
    assert tuple(summary[column] for column in columns) == counted
    assert summary["orders"] > 10
    lines = [line.split() for line in printed.stdout.splitlines()]
    assert ["orders", f"{summary['orders']:,}"] in lines
    assert ["realised", "profit", "after", "costs", f"{summary['realised_profit']:,.2f}"] in lines
    assert "AAPL" in printed.stdout
    assert "active" in printed.stdout


def test_a_report_of_an_empty_database_is_still_one(database: Database) -> None:
    report = build_report(read_facts(database))
    assert report.startswith("Market data (0 feature values of 0 features)")
    assert "HALTED" not in report


def test_a_halt_is_shown_with_its_reason(database: Database) -> None:
    database.execute("INSERT INTO trading_halts (strategy, reason) VALUES ('momentum', 'drill')")
    assert "HALTED: momentum since" in build_report(read_facts(database))
    assert "drill" in build_report(read_facts(database))


def test_a_database_that_is_away_gives_its_own_exit_code() -> None:
    printed = _print_report({"TIMESCALEDB_HOST": "127.0.0.1", "TIMESCALEDB_PORT": "9"})
    assert printed.returncode == 75
    assert "does not answer" in printed.stderr
