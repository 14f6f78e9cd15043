"""Selected models: taken up by the running strategy, proven before, reported, and given back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.market_fixtures import open_market
from services.service_process import ServiceProcess
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import SCHEMA, World
from services.training_runs import TrainingRuns
from trading_services.model_training.metrics import TradingAssumptions, build_evaluation
from trading_services.model_training.model_files import write_model_content
from trading_services.trading_strategy.config import TradingRules
from trading_services.trading_strategy.onnx_model import build_onnx_model
from trading_services.training_job.onnx_file import Network, Weights, build_onnx

WORLD = World(symbols=("AAPL", "IBM"), bars=900, initial_bars=600)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class Desk:
    """A market whose strategy reads selected models, and versions to select from."""

    def __init__(self, runs: StrategyRuns, folder: Path) -> None:
        self.runs, self._folder = runs, folder / "state"
        self._folder.mkdir()
        (self._folder / "trading_state").write_text("Active\n")
        self._trainings = folder / "training"
        self._trainings.mkdir()
        runs.environment["TRADING_STATE_FILE"] = str(self._folder / "trading_state")

    def train(self, **changes: Any) -> dict[str, Any]:
        """Train a version on the first bars and return what was said of it."""
        world = TrainingRuns(self.runs.database, self._trainings)
        ended = world.run(
            modelsFolder=str(self.runs.models_dir),
            dataset={"symbols": list(WORLD.symbols), "to": "2002-01-31", "minBars": 300},
            leakageChecks=[],
            **changes,
        )
        assert ended.code == 0, ended.log
        version: dict[str, Any] = ended.answer["version"]
        return version

    def select(self, *versions: dict[str, Any], **changes: Any) -> None:
        """Say what is traded, as the operator does: the file is another one at once."""
        lines = [
            {
                "type": "lightgbm-direction",
                "timeframe": "1d",
                "since": SINCE.isoformat(),
                "by": "ModelTrainingJob daily",
                "why": "its gates passed",
                **{name: version[name] for name in ("id", "digest", "file", "format")},
                **changes,
            }
            for version in versions
        ]
        partial = self._folder / "partial"
        partial.write_text(json.dumps({"models": lines}))
        partial.rename(self._folder / "trading-strategy.models.json")

    def write(self, text: str) -> None:
        """Write whatever text."""
        (self._folder / "trading-strategy.models.json").write_text(text)


@pytest.fixture
def desk(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[Desk]:
    with open_market(timescaledb, WORLD, tmp_path) as runs:
        yield Desk(runs, tmp_path)


def _wait_report(service: ServiceProcess, state: str) -> dict[str, Any]:
    found = service.wait_for(
        "/models", lambda each: bool(each.json()["models"]) and _state(each.json()) == state, 60
    )
    report: dict[str, Any] = found["models"][0]
    return report


def _state(content: dict[str, Any]) -> str:
    return str(content["models"][0]["state"])


def _scored_by(desk: Desk, model_id: str) -> int:
    rows = desk.runs.database.query("SELECT count(*) FROM signals WHERE model_id = %s", (model_id,))
    return int(rows[0][0])


@pytest.mark.acceptance("A05", "A74", "E84")
def test_a_selected_version_is_traded_without_a_restart_and_its_record_is_true(
    desk: Desk,
) -> None:
    version = desk.train()
    desk.runs.database.execute(
        "CREATE TABLE later AS SELECT * FROM stock_aggs WHERE timestamp > '2002-12-31'"
    )
    desk.runs.database.execute("DELETE FROM stock_aggs WHERE timestamp > '2002-12-31'")
    service = desk.runs.start()
    desk.runs.wait_for_end(service)
    assert _scored_by(desk, version["id"]) == 0
    desk.select(version)
    assert _wait_report(service, "Loaded")["trades"] == version["id"]
    desk.runs.database.execute("INSERT INTO stock_aggs SELECT * FROM later")
    desk.runs.wait_for_end(service)
    scored = _scored_by(desk, version["id"])
    told = service.wait_for("/models", lambda each: each.json()["models"][0]["scored"] == scored)
    service.stop()
    report = told["models"][0]
    assert scored > 50
    assert report["errors"] == 0
    assert report["live"] == _compute_live(desk, version["id"])
    history = desk.runs.database.query(
        "SELECT performance_history FROM model_registry WHERE model_id = %s", (version["id"],)
    )[0][0]
    assert [each["event"] for each in history] == ["Registered", "Selected"]
    assert history[1]["why"] == "its gates passed"


def _compute_live(desk: Desk, model_id: str) -> dict[str, str]:
    """Judge the journaled scores as model training would."""
    rules = TradingRules()
    scores, returns, symbols = [], [], []
    for symbol in WORLD.symbols:
        bars = desk.runs.database.query(
            "SELECT a.timestamp, a.open::float8, s.score FROM stock_aggs a LEFT JOIN signals s "
            "ON s.symbol = a.symbol AND s.bar_time = a.timestamp AND s.model_id = %s "
            "WHERE a.symbol = %s ORDER BY 1",
            (model_id, symbol),
        )
        for at, (_, _, score) in enumerate(bars[:-2]):
            if score is not None:
                scores.append(score)
                returns.append(bars[at + 2][1] / bars[at + 1][1] - 1)
                symbols.append(symbol)
    costs = float(rules.costs.commission_bps + rules.costs.slippage_bps)
    found = build_evaluation(
        np.array(scores),
        np.array(returns),
        np.array(symbols),
        TradingAssumptions(rules.signals.entry_strength, costs, 252),
    )
    return {
        "liveSharpe": f"{found.sharpe:.6f}",
        "liveHitRate": f"{found.hit_rate:.6f}",
        "liveLogloss": f"{found.logloss:.6f}",
    }


@pytest.mark.parametrize(
    ("damage", "words"),
    [("file", "SHA-256 differs"), ("digest", "another digest"), ("schema", "train again")],
)
def test_a_version_that_is_not_what_was_selected_is_refused_and_the_one_before_trades_on(
    desk: Desk, damage: str, words: str
) -> None:
    good, bad = desk.train(), desk.train(seed=8)
    desk.select(good)
    service = desk.runs.start()
    _wait_report(service, "Loaded")
    changes: dict[str, Any] = {}
    if damage == "file":
        path = desk.runs.models_dir / bad["file"]
        path.write_bytes(path.read_bytes().replace(b"tree", b"treE", 1))
    elif damage == "digest":
        changes = {"digest": "0" * 64}
    else:
        desk.runs.database.execute(
            "UPDATE model_registry SET metrics = jsonb_set(metrics, '{feature_schema_hash}', "
            "to_jsonb(repeat('0', 64))) WHERE model_id = %s",
            (bad["id"],),
        )
    desk.select(bad, **changes)
    report = _wait_report(service, "Refused")
    desk.select(good)
    again = _wait_report(service, "Loaded")
    ready = service.get("/readyz")
    service.stop()
    assert words in report["message"]
    assert report["trades"] == good["id"]
    assert again["id"] == again["trades"] == good["id"]
    assert "model" not in ready.json().get("reasons", {})


def test_a_line_that_is_taken_back_leaves_the_choice_to_the_registry(desk: Desk) -> None:
    version = desk.train()
    desk.select(version)
    service = desk.runs.start()
    _wait_report(service, "Loaded")
    desk.write("this is no JSON")
    assert service.get("/models").json()["models"][0]["trades"] == version["id"]
    desk.select()
    service.wait_for("/models", lambda each: each.json() == {"models": []})
    active = service.get("/readyz").json()["detail"]["models"]
    service.stop()
    assert active != [version["id"]]
    assert len(active) == 1


def test_killed_it_goes_on_with_what_is_selected(desk: Desk) -> None:
    version = desk.train()
    desk.select(version)
    desk.runs.run_to_death("Journal.write_decision:after:200")
    service = desk.runs.start()
    desk.runs.wait_for_end(service)
    report = _wait_report(service, "Loaded")
    service.stop()
    assert report["trades"] == version["id"]
    assert report["judged"] > 0
    notes = desk.runs.database.query(
        "SELECT jsonb_array_length(performance_history) FROM model_registry WHERE model_id = %s",
        (version["id"],),
    )
    assert notes == [(2,)]  # registered, and selected once however often it was loaded


def test_a_recurrent_model_is_scored_from_the_rows_before_each_bar(desk: Desk) -> None:
    version = _register_network(desk)
    desk.select(version)
    desk.runs.database.execute("DELETE FROM stock_aggs WHERE timestamp > '2002-12-31'")
    service = desk.runs.start()
    desk.runs.wait_for_end(service)
    report = _wait_report(service, "Loaded")
    service.stop()
    assert report["trades"] == version["id"]
    model = build_onnx_model((desk.runs.models_dir / version["file"]).read_bytes())
    compared = 0
    for symbol in WORLD.symbols:
        rows = desk.runs.database.query(
            'SELECT f.timestamp, array_agg(f.value::float8 ORDER BY f.feature_name COLLATE "C") '
            "FROM features f WHERE f.symbol = %s AND f.timestamp <= '2002-12-31' "
            "GROUP BY f.timestamp HAVING count(*) = %s ORDER BY f.timestamp",
            (symbol, len(SCHEMA.names)),
        )
        scored = dict(
            desk.runs.database.query(
                "SELECT bar_time, score FROM signals WHERE symbol = %s AND model_id = %s",
                (symbol, version["id"]),
            )
        )
        for at, (moment, _) in enumerate(rows):
            if moment in scored:
                wanted = model.score([row for _, row in rows[: at + 1]])
                assert scored[moment] == pytest.approx(wanted, abs=1e-9)
                compared += 1
    assert compared > 50


def _register_network(desk: Desk) -> dict[str, Any]:
    """Register a network of random weights as a training would."""
    rng, width, hidden = np.random.default_rng(4), len(SCHEMA.names), 4

    def draw(*shape: int) -> Weights:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    network = Network(
        mean=draw(width),
        scale=np.full(width, 5, dtype=np.float32),
        input_weights=draw(3 * hidden, width),
        state_weights=draw(3 * hidden, hidden),
        input_bias=draw(3 * hidden),
        state_bias=draw(3 * hidden),
        head_weights=draw(1, hidden),
        head_bias=draw(1),
    )
    content = build_onnx(network, 6, SCHEMA.names)
    path, digest = write_model_content(desk.runs.models_dir, content, ".onnx")
    metrics = {
        "file_sha256": digest,
        "file_format": "onnx",
        "feature_schema_hash": SCHEMA.digest,
        "data": {
            "bars": 400,
            "usable_after": "2002-01-31T00:00:00+00:00",
            "symbols": list(WORLD.symbols),
        },
    }
    desk.runs.database.execute(
        "INSERT INTO model_registry VALUES ('network', 'lightgbm-direction', '1d', now(), %s, "
        "'{}', %s, '9', 'candidate', %s, '[]')",
        (json.dumps(metrics), json.dumps(list(SCHEMA.names)), str(path)),
    )
    return {"id": "network", "digest": digest, "file": path.name, "format": "onnx"}
