"""Feature engineering on a real database: the table equals a recomputation from the bars."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from services.conftest import StartService
from services.service_process import ServiceProcess
from trading_services.data_acquisition.bar_store import insert_bars
from trading_services.database.connection import Database
from trading_services.feature_engineering.bar_reader import read_series_bars
from trading_services.feature_engineering.compute import compute_wide, melt
from trading_services.feature_engineering.schema import FeatureConfig, build_features
from trading_services.market_data.bars import Bar
from trading_services.market_data.recorded import read_series

FAST = {"FEATURE_POLL_SECONDS": "0.05"}


def bars_of(symbol: str, timeframe: str, count: int) -> list[Bar]:
    """The first bars of a recorded series."""
    return read_series(symbol, timeframe)[:count]


def stored(database: Database, symbol: str, timeframe: str) -> list[tuple[object, ...]]:
    """The long rows in the table, in time order."""
    return database.query(
        "SELECT timestamp, feature_name, value::float8, feature_group FROM features"
        ' WHERE symbol = %s AND timeframe = %s ORDER BY timestamp, feature_name COLLATE "C"',
        (symbol, timeframe),
    )


def recomputed(
    database: Database, symbol: str, timeframe: str, config: FeatureConfig | None = None
) -> list[tuple[object, ...]]:
    """The long rows computed in one go from the bars in the table."""
    features = build_features(config or FeatureConfig())
    bars = read_series_bars(database, (symbol, timeframe))
    return list(melt(compute_wide(bars, features), features).iter_rows())


def wait_until_caught_up(
    database: Database, service: ServiceProcess, symbols: Sequence[str]
) -> None:
    """Wait until the newest bar of every symbol has features."""
    deadline = time.monotonic() + 20
    query = (
        "SELECT (SELECT max(timestamp) FROM features WHERE symbol = %(symbol)s)"
        " IS NOT DISTINCT FROM (SELECT max(timestamp) FROM stock_aggs WHERE symbol = %(symbol)s)"
    )
    while not all(database.query(query, {"symbol": one})[0][0] for one in symbols):
        assert time.monotonic() < deadline, service.read_output()[-2000:]
        time.sleep(0.05)


@pytest.mark.acceptance("A03", "A07", "A70")
def test_features_equal_a_recomputation_while_bars_keep_coming(
    database: Database, start_service: StartService
) -> None:
    apple, euro = bars_of("AAPL", "1d", 400), bars_of("EURUSD", "1h", 300)
    insert_bars(database, apple[:200] + euro[:200])
    service = start_service("feature-engineering", **FAST)
    service.wait_ready()

    for start in range(200, 400, 10):
        insert_bars(database, apple[start : start + 10] + euro[start : start + 10])
        time.sleep(0.02)

    wait_until_caught_up(database, service, ("AAPL", "EURUSD"))
    for series in (("AAPL", "1d"), ("EURUSD", "1h")):
        rows = stored(database, *series)
        assert rows == recomputed(database, *series)
        assert len(rows) > 3000


@pytest.mark.acceptance("A03")
def test_killed_again_and_again_it_leaves_no_gap(
    database: Database, start_service: StartService
) -> None:
    bars = bars_of("IBM", "1d", 1300)
    insert_bars(database, bars[:700])
    for start in range(700, 1300, 200):
        service = start_service("feature-engineering", **FAST)
        insert_bars(database, bars[start : start + 200])
        # From before its first write to in the middle of one.
        time.sleep(0.5 + (start - 700) / 2000)
        service.kill()

    last = start_service("feature-engineering", **FAST)
    wait_until_caught_up(database, last, ["IBM"])

    assert stored(database, "IBM", "1d") == recomputed(database, "IBM", "1d")


def test_a_feature_new_in_the_configuration_is_computed_for_the_past_too(
    database: Database, start_service: StartService, tmp_path: Path
) -> None:
    insert_bars(database, bars_of("MSFT", "1d", 150))
    first = start_service("feature-engineering", **FAST)
    first.wait_ready()
    first.kill()
    content = {"groups": {"returns": {"periods": [1, 3]}}}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "feature_config.json").write_text(json.dumps(content))

    start_service("feature-engineering", **FAST).wait_ready()

    names = [row for row in stored(database, "MSFT", "1d") if row[1] == "return_3"]
    config = FeatureConfig.model_validate(content)
    wanted = [row for row in recomputed(database, "MSFT", "1d", config) if row[1] == "return_3"]
    assert names == wanted
    assert len(names) == 147


def test_bars_added_in_the_past_change_what_depends_on_them(
    database: Database, start_service: StartService
) -> None:
    bars = bars_of("MSFT", "1d", 200)
    insert_bars(database, bars[:80] + bars[100:])
    service = start_service("feature-engineering", FEATURE_COMPARE_SECONDS="0.2", **FAST)
    service.wait_ready()

    insert_bars(database, bars[80:100])

    deadline = time.monotonic() + 15
    while stored(database, "MSFT", "1d") != recomputed(database, "MSFT", "1d"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_without_bars_it_is_not_ready_and_says_why(
    database: Database, start_service: StartService
) -> None:
    service = start_service("feature-engineering", **FAST)
    answer = service.wait_state("Waiting")

    assert "stock_aggs has no bars" in answer["reasons"]["features"]
    insert_bars(database, bars_of("IBM", "1d", 70))
    service.wait_ready()


@pytest.mark.acceptance("A48")
def test_snapshots_hold_bars_and_features_side_by_side(
    database: Database, start_service: StartService, tmp_path: Path
) -> None:
    (tmp_path / "features").mkdir()
    insert_bars(database, bars_of("IBM", "1d", 120))
    service = start_service("feature-engineering", FEATURES_DIR=str(tmp_path / "features"), **FAST)
    service.wait_ready()

    assert service.stop() == 0

    frame = pl.read_parquet(tmp_path / "features" / "IBM_1d.parquet")
    features = build_features(FeatureConfig())
    bars = read_series_bars(database, ("IBM", "1d"))
    assert frame.drop("open", "high", "low", "close", "volume").equals(compute_wide(bars, features))
    assert [path.name for path in (tmp_path / "features").iterdir()] == ["IBM_1d.parquet"]
