"""The training program where things change under it: new bars, lost files, odd champions."""

import hashlib
import time
from pathlib import Path

import pytest

from services.trading_world import World, write_world
from services.training_runs import TrainingRuns, end_of
from trading_services.database.connection import Database

WORLD = World(symbols=("AAPL", "IBM"), bars=900)


@pytest.fixture
def runs(database: Database, tmp_path: Path) -> TrainingRuns:
    """Programs on recorded bars."""
    write_world(database, WORLD)
    return TrainingRuns(database, tmp_path)


def _reached(tmp_path: Path) -> int:
    steps = [path.read_text() for path in (tmp_path / "checkpoints/attempts").glob("step-*")]
    return max((int(text) for text in steps if text.strip()), default=0)


def _kill_at(runs: TrainingRuns, tmp_path: Path, step: int) -> None:
    process = runs.start(hyperparameters={"rounds": "120"})
    while process.poll() is None and _reached(tmp_path) < step:
        time.sleep(0.005)
    process.kill()
    process.communicate()


def _add_bar(database: Database) -> None:
    """Let a day pass: every symbol gets one bar more, with its features."""
    for table in ("stock_aggs", "features"):
        columns = ", ".join(
            row[0]
            for row in database.query(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
                "ORDER BY ordinal_position",
                (table,),
            )
        )
        shifted = columns.replace("timestamp", "timestamp + interval '1 day'", 1)
        database.execute(
            f"INSERT INTO {table} ({columns}) SELECT {shifted} FROM {table} "
            f"WHERE timestamp = (SELECT max(timestamp) FROM {table})"
        )


def test_bars_that_come_while_it_is_down_do_not_cost_its_checkpoints(
    runs: TrainingRuns, database: Database, tmp_path: Path
) -> None:
    wanted = runs.run(
        hyperparameters={"rounds": "120"},
        checkpoints={"folder": str(tmp_path / "o"), "everySeconds": 9, "keep": 2},
    )
    database.execute("TRUNCATE model_registry")
    _kill_at(runs, tmp_path, 40)
    _add_bar(database)
    ended = runs.run(hyperparameters={"rounds": "120"})
    assert ended.answer["attempts"][-1]["resumedFromStep"] > 0
    assert ended.answer["version"] == wanted.answer["version"]


def test_checkpoints_of_other_settings_do_not_hide_those_that_fit(
    runs: TrainingRuns, tmp_path: Path
) -> None:
    _kill_at(runs, tmp_path, 60)
    other = {"rounds": "120", "num_leaves": "7"}
    process = runs.start(hyperparameters=other)
    while _second(tmp_path) < 20:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    ended = runs.run(hyperparameters=other)
    assert ended.answer["attempts"][-1]["resumedFromStep"] > 0


def _second(tmp_path: Path) -> int:
    path = tmp_path / "checkpoints/attempts/step-2"
    return int(path.read_text() or 0) if path.exists() else 0


def test_a_price_that_is_none_is_refused_with_its_bar(
    runs: TrainingRuns, database: Database
) -> None:
    database.execute("UPDATE stock_aggs SET open = 'NaN' WHERE timestamp = '2003-05-08 04:00Z'")
    ended = runs.run()
    assert ended.code == 42, ended.log
    assert ended.answer["reason"] == "InvalidPrices"
    assert "2003-05-08T04:00:00Z" in ended.answer["message"]


def test_a_version_that_was_trained_again_keeps_its_file(
    runs: TrainingRuns, tmp_path: Path
) -> None:
    for seed in (1, 2, 3):
        runs.run(seed=seed, retention={"keepVersions": 2, "keep": []})
    again = runs.run(seed=1, retention={"keepVersions": 2, "keep": []}).answer
    assert (tmp_path / "models" / again["version"]["file"]).exists()


def test_a_champion_that_cannot_be_scored_does_not_stop_the_training(
    runs: TrainingRuns, database: Database, tmp_path: Path
) -> None:
    first = runs.run(dataset={"symbols": ["AAPL", "IBM"], "to": "2002-06-30"}).answer["version"]
    text = b"no model at all"
    digest = hashlib.sha256(text).hexdigest()
    (tmp_path / "models" / f"{digest}.lgbm.txt").write_bytes(text)
    database.execute(
        "UPDATE model_registry SET file_path = %s, "
        "metrics = jsonb_set(metrics, '{file_sha256}', to_jsonb(%s::text)) WHERE model_id = %s",
        (f"/app/models/{digest}.lgbm.txt", digest, first["id"]),
    )
    ended = runs.run(champion={"id": first["id"], "digest": digest, "file": f"{digest}.lgbm.txt"})
    assert ended.code == 0, ended.log
    assert ended.answer["comparison"]["unavailable"]


def test_a_run_that_is_over_says_the_same_again_without_training(
    runs: TrainingRuns, database: Database
) -> None:
    """The answer was lost with its node: the pod that follows must not make a second version."""
    first = end_of(runs.start()).answer
    _add_bar(database)
    again = end_of(runs.start())
    assert again.code == 0, again.log
    assert again.answer["version"] == first["version"]
    assert again.answer["attempts"][-1]["resumedFromStep"] == first["checkpoint"]["step"]
    assert database.query("SELECT count(*) FROM model_registry")[0][0] == 1


def test_a_program_of_an_older_run_registers_nothing(runs: TrainingRuns, tmp_path: Path) -> None:
    (tmp_path / "runs/2").mkdir(parents=True)
    ended = runs.run(checkpoints={"folder": str(tmp_path / "runs/1"), "everySeconds": 9, "keep": 2})
    assert ended.code == 1, ended.log
    assert "another run has begun" in ended.log
    assert not list((tmp_path / "models").glob("*.txt"))


def test_the_versions_of_another_job_are_not_its_own_to_expire(
    runs: TrainingRuns, tmp_path: Path
) -> None:
    other = runs.run(job="other", seed=9).answer["version"]
    for seed in (1, 2, 3):
        runs.run(seed=seed, retention={"keepVersions": 1, "keep": []})
    files = {path.name for path in (tmp_path / "models").glob("*.txt")}
    assert other["file"] in files
    assert len(files) == 2


def test_the_last_day_of_the_calendar_is_taken_and_one_beyond_refused(runs: TrainingRuns) -> None:
    ended = runs.run(dataset={"symbols": ["AAPL"], "to": "9999-12-31"})
    assert ended.code == 0, ended.log
    assert runs.run(dataset={"symbols": ["AAPL"], "to": "9999-13-31"}).code == 42
