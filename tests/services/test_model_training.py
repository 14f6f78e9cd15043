"""Model training against the real database: when it trains, what it registers, what it survives."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.service_process import ServiceProcess
from services.trading_world import (
    SCHEMA,
    World,
    build_workshop,
    train_first_model,
    write_series,
    write_world,
)
from trading_services.continuous_learning.cycle import run_learning_cycle
from trading_services.continuous_learning.policy import LearningRules
from trading_services.database.connection import Database
from trading_services.model_training import workshop as workshop_module
from trading_services.model_training.registry import ACTIVE, RETIRED, read_active, read_registry
from trading_services.model_training.workshop import read_model_text

StartService = Callable[..., ServiceProcess]

WORLD = World(symbols=("AAPL", "IBM"), bars=900, initial_bars=600)


def _write_config(folder: Path, world: World) -> None:
    (folder / "config").mkdir()
    text = world.model_config.model_copy(update={"poll_seconds": 0.2}).model_dump_json()
    (folder / "config" / "model_config.json").write_text(text)


def _read_rows(database: Database) -> list[dict[str, Any]]:
    return [
        row[0]
        for row in database.query("SELECT to_jsonb(m) FROM model_registry m ORDER BY version")
    ]


@pytest.mark.acceptance("A04", "A17", "A49", "A56", "A74")
def test_it_waits_for_enough_features_then_trains_registers_and_gets_ready(
    database: Database, start_service: StartService, tmp_path: Path
) -> None:
    _write_config(tmp_path, WORLD)
    write_world(database, replace(WORLD, bars=640))
    service = start_service("model-training", MODELS_DIR=str(tmp_path / "models"))
    waiting = service.wait_for("/readyz", lambda answer: "more bars" in answer.text)
    database.execute("DELETE FROM stock_aggs")
    database.execute("DELETE FROM features")
    write_world(database, WORLD)
    service.wait_ready()
    assert service.stop() == 0
    row = _read_rows(database)[0]
    content = Path(row["file_path"]).read_bytes()
    assert "waiting for 20 more bars" in waiting["reasons"]["models"]
    assert row["status"] == ACTIVE
    assert row["features_used"] == list(SCHEMA.names)
    assert row["metrics"]["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert row["file_path"].startswith(str(tmp_path / "models" / row["metrics"]["file_sha256"]))
    assert row["metrics"]["feature_schema_hash"] == SCHEMA.digest
    assert len(row["metrics"]["folds"]) == WORLD.model_config.validation.folds
    assert {"auc", "logloss", "hit_rate", "sharpe"} <= set(row["metrics"]["folds"][0])
    assert row["hyperparameters"]["boosting"]["seed"] == 7
    assert len(row["hyperparameters"]["data_digest"]) == 64


@pytest.mark.acceptance("A04")
def test_the_same_data_and_seed_give_the_same_file_in_another_database(
    timescaledb: Any, database: Database, tmp_path: Path
) -> None:
    write_world(database, WORLD)
    train_first_model(database, WORLD, tmp_path / "first")
    first = _read_rows(database)[0]
    database.execute("TRUNCATE model_registry")
    train_first_model(database, WORLD, tmp_path / "second")
    second = _read_rows(database)[0]
    for name in ("model_id", "metrics", "hyperparameters", "features_used"):
        assert first[name] == second[name]
    assert [path.name for path in (tmp_path / "first").iterdir()] == [
        path.name for path in (tmp_path / "second").iterdir()
    ]


def test_a_crash_between_file_and_row_is_mended_by_training_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_world(database, WORLD)

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(workshop_module, "write_model", crash)
        with pytest.raises(KeyboardInterrupt):
            train_first_model(database, WORLD, tmp_path)
    assert _read_rows(database) == []
    train_first_model(database, WORLD, tmp_path)
    train_again = build_workshop(database, WORLD, tmp_path)
    assert train_again.read_missing_champion() is None
    assert len(list(tmp_path.iterdir())) == len(_read_rows(database)) == 1


def test_registering_the_same_model_twice_leaves_one_row(
    database: Database, tmp_path: Path
) -> None:
    write_world(database, WORLD)
    workshop = build_workshop(database, WORLD, tmp_path)
    due = workshop.read_missing_champion()
    assert due is not None
    workshop.train_first(due)
    workshop.train_first(due)
    assert [(row["version"], row["status"]) for row in _read_rows(database)] == [("1", ACTIVE)]


def test_a_lost_or_damaged_file_is_trained_again(database: Database, tmp_path: Path) -> None:
    write_world(database, WORLD)
    train_first_model(database, WORLD, tmp_path)
    path = next(tmp_path.iterdir())
    path.write_text("half a file")
    outcome = run_learning_cycle(build_workshop(database, WORLD, tmp_path), LearningRules())
    champion = read_active(database, "lightgbm-direction", "1d")
    assert outcome.trained is not None
    assert outcome.trained.reason == "ModelFileLost"
    assert champion is not None
    assert read_model_text(champion) is not None


@pytest.mark.acceptance("A22")
def test_new_bars_bring_a_challenger_and_only_a_better_one_becomes_active(
    database: Database, tmp_path: Path
) -> None:
    long = replace(WORLD, bars=1100)
    write_world(database, long)
    workshop = build_workshop(database, long, tmp_path)
    rules = LearningRules(retrain_every_bars=150, holdout_bars=80)
    outcomes = [run_learning_cycle(workshop, rules) for _ in range(3)]
    first, second, third = outcomes
    assert first.trained is not None
    assert first.trained.reason == "FirstModel"
    assert second.trained is not None
    assert (second.trained.reason, second.trained.bars) == ("NewBars", 900)
    assert third.trained is None
    assert second.verdict is not None
    statuses = {row["model_id"]: row["status"] for row in _read_rows(database)}
    expected = {ACTIVE, RETIRED} if second.verdict.promoted else {ACTIVE, "rejected"}
    assert set(statuses.values()) == expected
    assert list(statuses.values()).count(ACTIVE) == 1
    compared = _read_rows(database)[1]["metrics"]["comparison"]
    better = compared["challenger"] < compared["champion"]
    assert compared["metric"] == "logloss"
    assert second.verdict.promoted is better


@pytest.mark.acceptance("A22")
def test_a_challenger_is_promoted_or_rejected_by_what_it_must_improve(
    database: Database, tmp_path: Path
) -> None:
    long = replace(WORLD, bars=900)
    write_world(database, long)
    train_first_model(database, long, tmp_path)
    workshop = build_workshop(database, long, tmp_path)
    unbeatable = LearningRules(retrain_every_bars=200, min_improvement=10.0)
    run_learning_cycle(
        replace(workshop, recipe=_with_learning(workshop.recipe, unbeatable)), unbeatable
    )
    champion = read_active(database, "lightgbm-direction", "1d")
    assert champion is not None
    assert champion.bars == WORLD.initial_bars
    assert [model.status for model in read_registry(database).models] == [ACTIVE]
    assert [row["status"] for row in _read_rows(database)] == [ACTIVE, "rejected"]


def test_drift_brings_a_challenger_before_its_time(database: Database, tmp_path: Path) -> None:
    write_world(database, replace(WORLD, bars=800))
    train_first_model(database, WORLD, tmp_path)
    # Recent features far from all that was trained on.
    database.execute(
        "UPDATE features SET value = value + 5 "
        "WHERE timestamp > (SELECT max(timestamp) - INTERVAL '200 days' FROM features)"
    )
    rules = LearningRules(
        retrain_every_bars=5000, check_drift_every_bars=100, holdout_bars=60, drift_threshold=0.5
    )
    outcome = run_learning_cycle(build_workshop(database, WORLD, tmp_path), rules)
    calm = run_learning_cycle(
        build_workshop(database, WORLD, tmp_path),
        rules.model_copy(update={"drift_threshold": 99.0}),
    )
    assert outcome.trained is not None
    assert (outcome.trained.reason, outcome.trained.bars) == ("Drift", 700)
    assert calm.trained is None


@pytest.mark.acceptance("A58")
def test_a_gpu_that_is_asked_for_and_absent_ends_it_with_the_reason(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service("model-training", GPU_ENABLED="true", PATH=str(tmp_path))
    assert service.process.wait(timeout=20) == 78
    refused = next(line for line in service.read_log() if line["event"] == "configuration refused")
    assert refused["field"] == "GPU_ENABLED"
    assert "nvidia-smi is not installed" in refused["problem"]


@pytest.mark.acceptance("A58")
def test_a_gpu_that_is_there_is_named_before_training(
    database: Database, start_service: StartService, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Test GPU, 1024 MiB, 1.0'\n")
    tool.chmod(0o755)
    service = start_service(
        "model-training",
        GPU_ENABLED="true",
        PATH=f"{tmp_path}:/usr/bin:/bin",
        MODELS_DIR=str(tmp_path / "models"),
    )
    service.wait_for("/livez", lambda answer: answer.status_code == 200)
    service.stop()
    found = next(line for line in service.read_log() if line["event"] == "GPU found")
    assert found["gpus"] == ["Test GPU, 1024 MiB, 1.0"]


def test_a_configuration_that_makes_no_sense_names_file_and_field(
    start_service: StartService, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "model_config.json").write_text(
        json.dumps({"learning": {"retrain_every_bars": 20, "holdout_bars": 80}})
    )
    service = start_service("model-training")
    assert service.process.wait(timeout=20) == 78
    assert "retrain_every_bars must be above" in service.read_output()
    assert "model_config.json" in service.read_output()


def test_a_symbol_that_lags_is_waited_for(database: Database, tmp_path: Path) -> None:
    write_series(database, "AAPL", "1d", 900)
    write_series(database, "IBM", "1d", 500)
    outcome = run_learning_cycle(build_workshop(database, WORLD, tmp_path), LearningRules())
    assert outcome.waiting_for == 600 - (500 - 60)


def _with_learning(recipe: Any, rules: LearningRules) -> Any:
    return replace(recipe, config=recipe.config.model_copy(update={"learning": rules}))
