"""Trouble with models, features or rules: exits go on, readiness says what is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.market_fixtures import open_market
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import World

WORLD = World(symbols=("AAPL", "IBM"), bars=800)

FOREIGN_ROW = """
INSERT INTO model_registry (model_id, model_type, timeframe, trained_at, metrics, hyperparameters,
                            features_used, version, status)
VALUES ('foreign', 'lstm', '1d', now(), %s, '{}', '[]', '1', %s)
"""

EXITS_OF_NO_MODEL = """
SELECT DISTINCT reason FROM signals WHERE model_id = 'none' AND action = 'Exit'
"""


@pytest.fixture
def market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path) as runs:
        yield runs


def _die_with_open_position(runs: StrategyRuns) -> None:
    runs.run_to_death("Journal.write_entry_fill:after:1")
    assert runs.database.query("SELECT count(*) FROM positions WHERE status = 'Open'") == [(1,)]


def _wait_until_flat(runs: StrategyRuns) -> dict[str, dict[str, str]]:
    service = runs.start()
    service.wait_for(
        "/positions", lambda each: each.json()["complete"] and not each.json()["items"]
    )
    answer: dict[str, dict[str, str]] = service.get("/readyz").json()
    service.stop()
    return answer


@pytest.mark.parametrize(
    ("metrics", "status"),
    [
        ("{}", "active"),
        ('{"data": [], "file_sha256": 7}', "retired"),
        (
            '{"file_sha256": "a", "feature_schema_hash": "b", "data": {"bars": 1, "symbols": '
            '["IBM"], "usable_after": "2005-01-01"}}',
            "retired",
        ),
    ],
)
def test_a_foreign_row_of_the_registry_is_refused_and_trading_goes_on(
    market: StrategyRuns, metrics: str, status: str
) -> None:
    market.database.execute(FOREIGN_ROW, (metrics, status))
    service = market.start()
    market.wait_for_end(service)
    answer = service.get("/readyz").json()
    service.stop()
    assert "model_registry row foreign" in answer["detail"]["refusedModels"]["foreign"]
    # A retired one hurts nobody; an active one is what ought to be traded and is not.
    assert ("model" in answer["reasons"]) is (status == "active")
    assert market.database.query("SELECT count(*) FROM orders")[0][0] > 10


def test_a_position_without_a_usable_model_is_still_closed_by_its_stop_target_or_age(
    market: StrategyRuns,
) -> None:
    _die_with_open_position(market)
    for path in market.models_dir.glob("*.txt"):
        path.unlink()
    answer = _wait_until_flat(market)
    assert "cannot be read" in answer["reasons"]["model"]
    reasons = {row[0] for row in market.database.query(EXITS_OF_NO_MODEL)}
    assert reasons
    assert reasons <= {"StopReached", "TargetReached", "HeldLongEnough"}
    assert market.database.query("SELECT count(*) FROM orders WHERE intent = 'Entry'") == [(1,)]


def test_a_position_whose_bars_get_no_features_any_more_is_still_closed(
    market: StrategyRuns,
) -> None:
    _die_with_open_position(market)
    market.database.execute(
        "DELETE FROM features f WHERE NOT EXISTS (SELECT FROM decision_progress p "
        "WHERE f.symbol = p.symbol AND f.timestamp <= p.last_bar)"
    )
    _write_config(market, {"max_feature_age_seconds": 0.5})
    _wait_until_flat(market)
    assert market.database.query(EXITS_OF_NO_MODEL)


def test_a_position_whose_timeframe_has_no_rules_is_reported(market: StrategyRuns) -> None:
    _die_with_open_position(market)
    _write_config(market, {"rules": {"1h": {}}})
    service = market.start()
    answer = service.wait_for("/readyz", lambda each: "rules" in each.json().get("reasons", {}))
    service.stop()
    assert answer["ready"] is False
    assert "1d: held, but strategy_config.json has no such rules" in answer["reasons"]["rules"]


def test_an_active_model_that_is_refused_is_reported_although_an_older_one_trades(
    market: StrategyRuns,
) -> None:
    market.database.execute(
        "INSERT INTO model_registry SELECT 'newer', model_type, timeframe, now(), "
        "jsonb_set(metrics, '{file_sha256}', to_jsonb('0'::text)), hyperparameters, "
        "features_used, '2', 'active', file_path, performance_history FROM model_registry"
    )
    market.database.execute("UPDATE model_registry SET status = 'retired' WHERE version = '1'")
    service = market.start()
    market.wait_for_end(service)
    answer = service.get("/readyz").json()
    service.stop()
    assert "registered as newer" in answer["reasons"]["model"]


def _write_config(runs: StrategyRuns, content: object) -> None:
    folder = runs.folder / "config"
    folder.mkdir()
    (folder / "strategy_config.json").write_text(json.dumps(content))
