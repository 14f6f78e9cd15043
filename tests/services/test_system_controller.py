"""The system controller: brings the schema, steers the others, knows markets and lag."""

import json
import time
from pathlib import Path

import pytest

from services.conftest import StartService
from trading_services.database.connection import Database
from trading_services.database.migrations import find_unapplied

# One feature is enough here, and 300,000 rows would only take time.
FEW_FEATURES = {
    "groups": {
        "returns": {"periods": [1]},
        "volume": {"log_change_periods": []},
        "trend": {"sma_windows": [], "ema_spans": []},
        "oscillator": {"rsi_windows": []},
        "volatility": {"windows": [], "range_windows": []},
        "momentum": {"windows": []},
        "calendar": {"fields": []},
    }
}
FAST = {"BEAT_INTERVAL_SECONDS": "0.2"}


def count(database: Database) -> int:
    """The number of bars in the table."""
    return int(database.query("SELECT count(*) FROM stock_aggs")[0][0])


@pytest.mark.acceptance("A01", "A53", "A76")
def test_it_brings_the_schema_and_does_so_again_without_harm(
    empty_database: Database, start_service: StartService
) -> None:
    start_service("system-controller").wait_ready()
    assert find_unapplied(empty_database) == []

    assert start_service("system-controller").wait_ready()["ready"]


@pytest.mark.acceptance("A01", "A41", "A42", "A43", "A59")
def test_the_three_come_up_in_order_and_the_status_shows_them(
    empty_database: Database, start_service: StartService, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "feature_config.json").write_text(json.dumps(FEW_FEATURES))
    controller = start_service("system-controller", CONTROLLER_POLL_SECONDS="0.2")
    controller.wait_ready()
    start_service("data-acquisition", REPLAY_SPEED="0", **FAST).wait_state("Complete")
    start_service("feature-engineering", POD_NAME="fe-0", **FAST).wait_ready()

    # Each says how it is with its next beat.
    status = controller.wait_for(
        "/status",
        lambda answer: (
            _is_alive(answer.json(), "feature-engineering")
            and _state(answer.json(), "data-acquisition") == "Complete"
        ),
    )

    components = {one["component"]: one for one in status["components"]}
    assert list(components) == [
        "data-acquisition",
        "feature-engineering",
        "model-training",
        "trading-strategy",
    ]
    assert components["data-acquisition"]["instances"][0]["state"] == "Complete"
    assert components["feature-engineering"]["instances"][0]["instance"] == "fe-0"
    assert not components["model-training"]["alive"]
    lags = {one["symbol"]: one for one in status["pipeline"]}
    assert set(lags) == {"AAPL", "IBM", "MSFT", "EURUSD"}
    assert {one["bars_behind"] for one in lags.values()} == {0}
    markets = {one["market"]: one for one in status["markets"]}
    # The clock is the replay's: the daily record ends with the close of Friday, 1 March 2013.
    assert markets["XNYS"]["at"] == "2013-03-01T21:00:00+00:00"
    assert markets["XNYS"]["state"] == "Closed"
    assert markets["XNYS"]["next_open"] == "2013-03-04T14:30:00+00:00"
    lag = {"symbol": "AAPL", "timeframe": "1d"}
    assert controller.read_metric("trading_pipeline_lag_seconds", lag) == 0
    controlled = {"controlled": "data-acquisition"}
    assert controller.read_metric("trading_component_alive", controlled) == 1


def _state(status: dict[str, list[dict[str, object]]], component: str) -> str:
    """Return what the first instance of a component says of itself."""
    for one in status["components"]:
        instances = one["instances"]
        if one["component"] == component and isinstance(instances, list) and instances:
            return str(instances[0]["state"])
    return ""


def _is_alive(status: dict[str, list[dict[str, object]]], component: str) -> bool:
    return any(one["component"] == component and one["alive"] for one in status["components"])


@pytest.mark.acceptance("A01")
def test_a_paused_component_stands_still_stays_ready_and_goes_on(
    empty_database: Database, start_service: StartService
) -> None:
    controller = start_service("system-controller")
    controller.wait_ready()
    data = start_service("data-acquisition", REPLAY_SPEED="50", **FAST)
    data.wait_ready()

    answer = controller.post("/components/data-acquisition/pause", {"reason": "maintenance"})
    assert answer.json()["desired_state"] == "Paused"
    data.wait_state("Paused")
    before = count(empty_database)
    time.sleep(0.8)
    assert count(empty_database) == before
    assert data.get("/readyz").status_code == 200
    component = controller.get("/status").json()["components"][0]
    assert (component["desired_state"], component["reason"]) == ("Paused", "maintenance")
    assert data.read_metric("trading_service_paused", {"component": "data-acquisition"}) == 1

    controller.post("/components/data-acquisition/resume")
    data.wait_state("Replaying")
    time.sleep(0.8)
    assert count(empty_database) > before


def test_a_pause_outlives_the_component_and_the_controller(
    empty_database: Database, start_service: StartService
) -> None:
    controller = start_service("system-controller")
    controller.wait_ready()
    controller.post("/components/data-acquisition/pause")
    controller.kill()

    data = start_service("data-acquisition", **FAST)
    data.wait_state("Paused")
    start_service("system-controller").wait_ready()

    assert data.wait_state("Paused")


def test_an_order_that_makes_no_sense_is_refused(
    empty_database: Database, start_service: StartService
) -> None:
    controller = start_service("system-controller")
    controller.wait_ready()
    orders = empty_database.query("SELECT * FROM component_control ORDER BY component")

    for path, body, code, said in (
        ("/components/coffee-machine/pause", None, 404, "coffee-machine"),
        ("/components/model-training/explode", None, 404, "explode"),
        ("/components/model-training/pause", {"reason": 7}, 400, "reason"),
        ("/components/model-training/pause", {"why": "x"}, 400, "why"),
    ):
        answer = controller.post(path, body)
        assert (answer.status_code, said in answer.json()["error"]) == (code, True)

    after = empty_database.query("SELECT * FROM component_control ORDER BY component")
    assert after == orders
