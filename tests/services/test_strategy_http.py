"""The strategy's routes and readiness, on the real process."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.market_fixtures import open_market
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import World

WORLD = World(symbols=("AAPL", "IBM"), bars=800)


@pytest.fixture
def market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path) as runs:
        yield runs


@pytest.mark.acceptance("A05", "A57")
def test_it_gets_ready_trades_and_shows_its_positions(market: StrategyRuns) -> None:
    service = market.start()
    service.wait_ready()
    market.wait_for_end(service)
    answer = service.get("/positions").json()
    stored = market.database.query("SELECT position_id FROM positions WHERE status = 'Open'")
    metrics = service.get("/metrics").text
    code = service.stop()
    assert code == 0
    assert answer["complete"] is True
    assert {item["positionId"] for item in answer["items"]} == {row[0] for row in stored}
    assert 'trading_decisions_total{action="Entry",symbol="AAPL",timeframe="1d"}' in metrics


def test_a_halt_is_latched_in_the_database_stops_entries_and_lets_exits_pass(
    market: StrategyRuns,
) -> None:
    first = market.start(freeze="Journal.write_decision:before:30")
    market.wait_until_frozen(first)
    market.database.execute(
        "INSERT INTO trading_halts (strategy, reason) VALUES ('momentum', 'test')"
    )
    first.kill()
    before = _count(market, "Entry")
    second = market.start()
    market.wait_for_end(second)
    halted = second.wait_state("Halted")
    released = httpx.delete(f"{second.base_url}/halt", timeout=10).json()
    running = second.wait_state("Running")
    second.stop()
    assert halted["detail"]["halted"] == "test"
    assert released == {"halted": False, "released": True}
    assert running["detail"]["halted"] is None
    assert _count(market, "Entry") == before
    open_positions = market.database.query("SELECT count(*) FROM positions WHERE status = 'Open'")
    assert open_positions[0][0] == 0


def test_post_halt_takes_effect_and_survives_a_restart(market: StrategyRuns) -> None:
    first = market.start()
    first.wait_ready()
    answer = first.post("/halt", {"reason": "drill"})
    first.wait_state("Halted")
    first.kill()
    second = market.start()
    state = second.wait_state("Halted")
    second.stop()
    assert answer.json() == {"halted": True, "reason": "drill"}
    assert state["detail"]["halted"] == "drill"


def test_a_drained_strategy_decides_nothing_more(market: StrategyRuns) -> None:
    service = market.start()
    service.wait_ready()
    answer = service.post("/drain", {"mode": "CancelOrders", "deadlineSeconds": 20})
    decided = market.database.query("SELECT count(*) FROM signals")[0][0]
    service.wait_state("Draining")
    later = market.database.query("SELECT count(*) FROM signals")[0][0]
    working = market.database.query(
        "SELECT count(*) FROM orders WHERE state IN ('Intent', 'Sent', 'Accepted')"
    )
    service.stop()
    assert answer.status_code == 200
    assert answer.json()["drained"] is True
    assert later == decided
    assert working[0][0] == 0


def test_a_request_that_makes_no_sense_is_refused_with_the_field(market: StrategyRuns) -> None:
    service = market.start()
    service.wait_ready()
    drain = service.post("/drain", {"mode": "Panic"})
    halt = service.post("/halt", {"reason": ""})
    service.stop()
    assert (drain.status_code, halt.status_code) == (422, 422)
    assert "mode" in drain.json()["error"]
    assert "reason" in halt.json()["error"]


@pytest.mark.acceptance("A49", "A74")
def test_a_model_file_that_is_not_the_registered_one_is_refused_with_the_reason(
    market: StrategyRuns,
) -> None:
    path = next(market.models_dir.glob("*.txt"))
    path.write_text(path.read_text().replace("leaf_value=", "leaf_value=9", 1))
    service = market.start()
    answer = service.wait_for("/readyz", lambda each: "SHA-256" in each.text)
    service.stop()
    assert answer["ready"] is False
    assert "restore it or train again" in answer["reasons"]["model"]
    assert market.database.query("SELECT count(*) FROM signals")[0][0] == 0


def test_a_model_of_other_features_is_refused_with_the_reason(market: StrategyRuns) -> None:
    config = market.folder / "config"
    config.mkdir()
    (config / "feature_config.json").write_text(
        json.dumps({"groups": {"oscillator": {"rsi_windows": [7]}}})
    )
    service = market.start()
    answer = service.wait_for("/readyz", lambda each: "was trained on features" in each.text)
    service.stop()
    assert "train again with this configuration" in answer["reasons"]["model"]


@pytest.mark.acceptance("A12")
def test_an_order_of_the_venue_that_the_journal_does_not_know_halts_trading(
    market: StrategyRuns,
) -> None:
    market.run_to_death("PaperBroker.submit:after:3")
    market.database.execute("DELETE FROM orders WHERE state = 'Sent'")
    service = market.start()
    answer = service.wait_for("/readyz", lambda each: "UnknownToJournal" in each.text)
    positions = service.get("/positions").json()
    service.stop()
    assert answer["ready"] is False
    assert "reconciled" in answer["reasons"]
    assert positions["complete"] is False
    reason = market.database.query("SELECT reason FROM trading_halts")[0][0]
    assert reason.startswith("ReconcileMismatch")


def test_live_mode_is_refused_because_no_live_venue_is_built_in(market: StrategyRuns) -> None:
    market.environment["TRADING_MODE"] = "Live"
    service = market.start()
    assert service.process.wait(timeout=20) == 78
    assert "TRADING_MODE" in service.read_output()


def _count(market: StrategyRuns, intent: str) -> int:
    rows = market.database.query("SELECT count(*) FROM orders WHERE intent = %s", (intent,))
    return int(rows[0][0])
