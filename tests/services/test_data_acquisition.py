"""Data acquisition on a real database: the table equals the record, whatever happens meanwhile."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from services.conftest import StartService
from trading_services.database.connection import Database
from trading_services.market_data.recorded import read_series

SERIES = (("AAPL", "1d"), ("EURUSD", "1h"), ("IBM", "1d"), ("MSFT", "1d"))
TWO_STOCKS = {"feeds": [{"name": "stocks", "symbols": ["AAPL", "IBM"], "timeframe": "1d"}]}


@pytest.fixture
def two_stocks(tmp_path: Path) -> None:
    """Configures a feed of two daily series."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "data_config.json").write_text(json.dumps(TWO_STOCKS))


def stored(database: Database, symbol: str, timeframe: str) -> list[tuple[Any, ...]]:
    """The rows of a series as floats, in time order."""
    return database.query(
        "SELECT timestamp, open::float8, high::float8, low::float8, close::float8,"
        " volume::float8, source FROM stock_aggs"
        " WHERE symbol = %s AND timeframe = %s ORDER BY timestamp",
        (symbol, timeframe),
    )


def recorded(symbol: str, timeframe: str) -> list[tuple[Any, ...]]:
    """The rows that the record has for a series."""
    return [
        (bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.source)
        for bar in read_series(symbol, timeframe)
    ]


def count(database: Database) -> int:
    """The number of bars in the table."""
    return int(database.query("SELECT count(*) FROM stock_aggs")[0][0])


@pytest.mark.acceptance("A02", "A07", "A68")
def test_the_whole_record_arrives_unchanged(
    database: Database, start_service: StartService, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    service = start_service("data-acquisition", REPLAY_SPEED="0", DATA_DIR=str(tmp_path / "data"))

    service.wait_state("Complete")

    for series in SERIES:
        assert stored(database, *series) == recorded(*series)
    assert service.get("/readyz").status_code == 200
    copies = sorted(path.name for path in (tmp_path / "data" / "raw").iterdir())
    assert copies == ["AAPL_1d.csv", "EURUSD_1h.csv", "IBM_1d.csv", "MSFT_1d.csv"]
    assert len((tmp_path / "data" / "raw" / "AAPL_1d.csv").read_text().splitlines()) == 3271


@pytest.mark.acceptance("A02", "A76")
def test_killed_again_and_again_it_leaves_no_gap_and_no_duplicate(
    database: Database, start_service: StartService, tmp_path: Path, two_stocks: None
) -> None:
    (tmp_path / "data").mkdir()
    settings = {"REPLAY_SPEED": "250", "DATA_DIR": str(tmp_path / "data")}
    counts = []
    for _ in range(3):
        service = start_service("data-acquisition", **settings)
        service.wait_ready()
        time.sleep(0.3)
        service.kill()
        counts.append(count(database))

    start_service("data-acquisition", **settings).wait_state("Complete")

    assert 2 * 2616 < counts[0] < counts[1] < counts[2] < 2 * 3270
    for symbol in ("AAPL", "IBM"):
        assert stored(database, symbol, "1d") == recorded(symbol, "1d")
        copies = (tmp_path / "data" / "raw" / f"{symbol}_1d.csv").read_text().splitlines()
        moments = [line.split(",")[0] for line in copies[1:]]
        assert moments == [row[0].isoformat() for row in recorded(symbol, "1d")]


def test_a_database_that_drops_its_connections_costs_no_bar(
    database: Database, start_service: StartService, two_stocks: None
) -> None:
    service = start_service("data-acquisition", REPLAY_SPEED="250")
    service.wait_ready()

    for _ in range(4):
        time.sleep(0.25)
        database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'data-acquisition'"
        )

    service.wait_state("Complete")
    for symbol in ("AAPL", "IBM"):
        assert stored(database, symbol, "1d") == recorded(symbol, "1d")


def test_a_gap_in_the_table_is_filled_at_the_next_start(
    database: Database, start_service: StartService, two_stocks: None
) -> None:
    start_service("data-acquisition", REPLAY_SPEED="0").wait_state("Complete")
    database.execute(
        "DELETE FROM stock_aggs WHERE symbol = 'IBM' AND timestamp BETWEEN %s AND %s",
        ("2005-01-01", "2006-01-01"),
    )

    start_service("data-acquisition", REPLAY_SPEED="0").wait_state("Complete")

    assert stored(database, "IBM", "1d") == recorded("IBM", "1d")


def test_the_history_is_there_before_it_is_ready_and_the_rest_comes_in_time_order(
    database: Database, start_service: StartService, two_stocks: None
) -> None:
    service = start_service("data-acquisition", REPLAY_SPEED="20")

    service.wait_ready()

    assert count(database) >= 2 * 2616
    time.sleep(0.5)
    ends = database.query("SELECT symbol, count(*), max(timestamp) FROM stock_aggs GROUP BY 1")
    assert len({(bars, last) for _, bars, last in ends}) == 1
    assert count(database) < 2 * 3270


@pytest.mark.acceptance("A09")
def test_metrics_say_what_came_and_how_far_it_reaches(
    database: Database, start_service: StartService, two_stocks: None
) -> None:
    service = start_service("data-acquisition", REPLAY_SPEED="0")
    service.wait_state("Complete")

    apple = {"symbol": "AAPL", "timeframe": "1d"}
    assert service.read_metric("trading_bars_stored_total", apple) == 3270
    last = recorded("AAPL", "1d")[-1][0].timestamp()
    assert service.read_metric("trading_last_bar_timestamp_seconds", apple) == last


def test_an_endless_replay_goes_on_behind_the_record_and_survives_a_kill(
    database: Database, start_service: StartService, two_stocks: None
) -> None:
    settings = {"REPLAY_SPEED": "0", "REPLAY_ON_COMPLETE": "Loop"}
    service = start_service("data-acquisition", **settings)
    service.wait_ready()
    _wait_for_count(database, 2 * 4500)
    service.kill()
    again = start_service("data-acquisition", **settings)
    again.wait_ready()
    _wait_for_count(database, count(database) + 1000)
    again.kill()

    counts = database.query(
        "SELECT symbol, count(*), max(timestamp) FROM stock_aggs GROUP BY symbol"
    )
    assert len({(bars, last) for _, bars, last in counts}) == 1
    assert stored(database, "AAPL", "1d")[:3270] == recorded("AAPL", "1d")
    gap = database.query(
        "SELECT max(gap) FROM (SELECT timestamp - lag(timestamp) OVER (ORDER BY timestamp) AS gap"
        " FROM stock_aggs WHERE symbol = 'AAPL') AS gaps"
    )
    assert gap[0][0].days <= 9


def _wait_for_count(database: Database, wanted: int) -> None:
    deadline = time.monotonic() + 20
    while count(database) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)
