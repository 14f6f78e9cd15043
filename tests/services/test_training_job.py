"""The training program against the real database: what it registers, compares and refuses."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.trading_world import SCHEMA, World, write_world
from services.training_runs import TrainingRuns
from trading_services.database.connection import Database

WORLD = World(symbols=("AAPL", "IBM"), bars=900)


@pytest.fixture
def runs(database: Database, tmp_path: Path) -> TrainingRuns:
    """Programs on recorded bars."""
    write_world(database, WORLD)
    return TrainingRuns(database, tmp_path)


def _rows(database: Database) -> list[dict[str, Any]]:
    return [row[0] for row in database.query("SELECT to_jsonb(m) FROM model_registry m")]


@pytest.mark.acceptance("A04", "A21", "A49", "A74", "A75")
def test_it_trains_judges_out_of_sample_and_registers_one_candidate(
    runs: TrainingRuns, database: Database, tmp_path: Path
) -> None:
    ended = runs.run()
    assert ended.code == 0, ended.log
    answer, version = ended.answer, ended.answer["version"]
    content = (tmp_path / "models" / version["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == version["digest"]
    assert version["featureSchemaHash"] == SCHEMA.digest
    assert set(answer["metrics"]) == {"oosSharpe", "oosAuc", "oosLogloss", "oosHitRate"}
    assert [fold["number"] for fold in answer["folds"]] == [1, 2, 3]
    assert all(check["passed"] for check in answer["leakage"]), answer["leakage"]
    assert answer["comparison"] is None
    (row,) = _rows(database)
    assert (row["model_id"], row["status"]) == (version["id"], "candidate")
    assert row["metrics"]["file_sha256"] == version["digest"]
    assert row["metrics"]["data"]["digest"] == version["dataDigest"]
    assert row["performance_history"][0]["event"] == "Registered"


def test_the_same_data_and_seed_give_the_same_version_and_another_seed_does_not(
    runs: TrainingRuns, database: Database
) -> None:
    first, again, other = runs.run(), runs.run(run=2), runs.run(seed=8)
    assert first.answer["version"] == again.answer["version"]
    assert other.answer["version"]["digest"] != first.answer["version"]["digest"]
    assert len(_rows(database)) == 2


@pytest.mark.acceptance("A22")
def test_a_challenger_is_compared_with_the_champion_on_bars_that_neither_has_seen(
    runs: TrainingRuns,
) -> None:
    champion = runs.run(dataset={"symbols": ["AAPL", "IBM"], "to": "2002-06-30"}).answer["version"]
    wanted = {each: champion[each] for each in ("id", "digest", "file")}
    later = runs.run(champion=wanted).answer["comparison"]
    seen = runs.run(champion=champion, dataset={"symbols": ["AAPL"], "to": "2002-06-30"}).answer
    lost = runs.run(champion={**wanted, "id": "another"}).answer["comparison"]
    assert later["championId"] == champion["id"]
    assert later["bars"] == 60
    assert set(later["champion"]) == set(later["challenger"]) >= {"oosSharpe"}
    assert "has seen bars" in seen["comparison"]["unavailable"]
    assert "not in the registry" in lost["unavailable"]


def test_a_feature_that_knows_the_future_is_betrayed(
    runs: TrainingRuns, database: Database
) -> None:
    rng = np.random.default_rng(1)
    for symbol in WORLD.symbols:
        bars = database.query(
            "SELECT timestamp, open::float8 FROM stock_aggs WHERE symbol = %s ORDER BY timestamp",
            (symbol,),
        )
        opens = np.array([row[1] for row in bars])
        coming = np.zeros(len(opens))
        coming[:-2] = opens[2:] / opens[1:-1] - 1.0
        noisy = coming + rng.normal(0, coming.std(), len(coming))
        with database.transaction() as cursor:
            cursor.executemany(
                "INSERT INTO features VALUES (%s, %s, 'leak', %s, '1d', 'planted')",
                [(symbol, row[0], float(value)) for row, value in zip(bars, noisy, strict=True)],
            )
    answer = runs.run(features=["leak", "return_1", "return_5", "rsi_14"]).answer
    checks = {check["check"]: check for check in answer["leakage"]}
    assert float(answer["metrics"]["oosAuc"]) > 0.6
    assert not checks["FutureShift"]["passed"]
    assert "knows what comes" in checks["FutureShift"]["message"]


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"dataset": {"symbols": ["AAPL"], "from": "2020-01-01"}}, "EmptyDataset", "dataset.from"),
        ({"dataset": {"symbols": ["AAPL", "XYZ"]}}, "UnknownSymbol", "dataset.symbols[1]"),
        ({"dataset": {"symbols": ["AAPL"], "minBars": 5000}}, "TooLittleData", "dataset.minBars"),
        ({"dataset": {"symbols": ["AAPL"], "to": "2001-02-30"}}, "InvalidRange", "dataset.to"),
        ({"features": ["no_such"]}, "UnknownFeature", "no_such"),
        ({"hyperparameters": {"rounds": "0"}}, "InvalidHyperparameters", "rounds"),
        ({"hyperparameters": {"num_leaves": "-3"}}, "InvalidHyperparameters", "num_leaves"),
        ({"hyperparameters": {"seed": "3"}}, "InvalidHyperparameters", "hyperparameters.seed"),
        ({"trainer": "Magic"}, "UnknownTrainer", "trainer"),
        ({"validation": {"folds": 20, "minTrainBars": 850}}, "TooLittleData", "validation"),
        ({"dataset": {"symbols": []}}, "InvalidJobFile", "dataset.symbols"),
    ],
)
def test_what_no_repetition_mends_ends_with_its_field_and_registers_nothing(
    runs: TrainingRuns,
    database: Database,
    tmp_path: Path,
    changes: dict[str, Any],
    reason: str,
    words: str,
) -> None:
    ended = runs.run(**changes)
    assert ended.code == 42, ended.log
    assert ended.answer["outcome"] == "Failed"
    assert ended.answer["reason"] == reason
    assert words in ended.answer["message"]
    assert _rows(database) == []
    assert list((tmp_path / "models").glob("*")) == []


def test_files_of_old_versions_go_and_those_in_use_stay(
    runs: TrainingRuns, database: Database, tmp_path: Path
) -> None:
    versions = [runs.run(seed=seed).answer["version"] for seed in (1, 2, 3)]
    answer = runs.run(seed=4, retention={"keepVersions": 2, "keep": [versions[0]["id"]]}).answer
    files = {path.name for path in (tmp_path / "models").glob("*.txt")}
    assert answer["expired"] == [versions[1]["id"]]
    assert files == {versions[0]["file"], versions[2]["file"], answer["version"]["file"]}
    events = database.query(
        "SELECT performance_history FROM model_registry WHERE model_id = %s", (versions[1]["id"],)
    )
    assert [each["event"] for each in events[0][0]] == ["Registered", "Expired"]


def test_an_answer_always_fits_the_kubelets_limit(runs: TrainingRuns) -> None:
    answer = runs.run(
        dataset={"symbols": ["AAPL", "IBM"]},
        validation={"folds": 20, "minTrainBars": 200, "holdoutBars": 40, "embargoBars": 1},
        hyperparameters={"rounds": "5", "min_data_in_leaf": "20"},
    ).answer
    assert len(json.dumps(answer, separators=(",", ":"))) <= 4096
    assert answer["version"]["id"]
    assert len(answer["folds"]) == 20
