"""The training program that is killed, stopped, fenced off, or finds damaged checkpoints."""

import json
import random
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from services.trading_world import World, write_world
from services.training_runs import TrainingRuns, end_of
from trading_services.database.connection import Database

WORLD = World(symbols=("AAPL", "IBM"), bars=900)
ROUNDS = {"rounds": "120"}
KILLS = 10


@pytest.fixture
def runs(database: Database, tmp_path: Path) -> TrainingRuns:
    """Programs on recorded bars that take a second or two."""
    write_world(database, WORLD)
    return TrainingRuns(database, tmp_path, {"hyperparameters": ROUNDS})


def _undisturbed(runs: TrainingRuns, tmp_path: Path) -> str:
    checkpoints = {"folder": str(tmp_path / "other"), "everySeconds": 3600, "keep": 2}
    digest: str = runs.run(checkpoints=checkpoints).answer["version"]["digest"]
    return digest


def _reached(tmp_path: Path) -> int:
    steps = [path.read_text() for path in (tmp_path / "checkpoints/attempts").glob("step-*")]
    return max((int(text) for text in steps if text.strip()), default=0)


@pytest.mark.acceptance("A22")
def test_killed_again_and_again_it_ends_with_the_bytes_of_an_undisturbed_run(
    runs: TrainingRuns, tmp_path: Path
) -> None:
    wanted = _undisturbed(runs, tmp_path)
    rng, killed = random.Random(7), 0
    for kill in range(1, KILLS + 1):
        process = runs.start()
        goal = 10 * kill + rng.randrange(5)
        while process.poll() is None and _reached(tmp_path) < goal:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    ended = runs.run()
    assert killed == KILLS
    assert ended.answer["version"]["digest"] == wanted
    numbers = [each["number"] for each in ended.answer["attempts"]]
    assert numbers == list(range(2, KILLS + 2))
    assert all(each["resumedFromStep"] > 0 for each in ended.answer["attempts"])


def test_a_stop_is_obeyed_with_a_checkpoint_from_which_the_next_one_goes_on(
    runs: TrainingRuns, tmp_path: Path
) -> None:
    wanted = _undisturbed(runs, tmp_path)
    rare = {"folder": str(tmp_path / "checkpoints"), "everySeconds": 3600, "keep": 2}
    process = runs.start(checkpoints=rare)
    while _reached_or_none(tmp_path) < 20:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    stopped = end_of(process)
    ended = runs.run(checkpoints=rare)
    assert stopped.code == 143, stopped.log
    assert ended.answer["version"]["digest"] == wanted
    (first, second) = ended.answer["attempts"]
    assert (first["resumedFromStep"], first["lostSteps"]) == (0, 0)
    assert second["resumedFromStep"] >= 20
    assert second["lostSteps"] == 0


def _reached_or_none(tmp_path: Path) -> int:
    folder = tmp_path / "checkpoints/attempts"
    return _reached(tmp_path) if folder.exists() else 0


def test_lost_steps_are_counted(runs: TrainingRuns, tmp_path: Path) -> None:
    rare = {"folder": str(tmp_path / "checkpoints"), "everySeconds": 3600, "keep": 2}
    process = runs.start(checkpoints=rare)
    while _reached_or_none(tmp_path) < 15:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    reached = _reached(tmp_path)
    answer = runs.run(checkpoints=rare).answer
    assert answer["attempts"][-1]["resumedFromStep"] == 0
    assert answer["lostSteps"] == reached >= 15


def test_a_damaged_checkpoint_is_left_out(runs: TrainingRuns, tmp_path: Path) -> None:
    wanted = _undisturbed(runs, tmp_path)
    process = runs.start()
    while _reached_or_none(tmp_path) < 30:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    checkpoints = sorted(
        (tmp_path / "checkpoints").glob("checkpoint-*"),
        key=lambda path: int(path.name.split("-")[1]),
    )
    newest, older = checkpoints[-1], checkpoints[-2]
    state = newest / "state.json"
    content = bytearray(state.read_bytes())
    content[5] ^= 1
    state.write_bytes(bytes(content))
    ended = runs.run()
    assert "checkpoint is damaged" in ended.log
    assert ended.answer["attempts"][-1]["resumedFromStep"] == int(older.name.split("-")[1])
    assert ended.answer["version"]["digest"] == wanted


def test_an_attempt_that_has_a_successor_writes_nothing_any_more(
    runs: TrainingRuns, database: Database, tmp_path: Path
) -> None:
    old = runs.start()
    while _reached_or_none(tmp_path) < 10:
        time.sleep(0.005)
    old.send_signal(signal.SIGSTOP)  # its node lost it, and it goes on later
    new = runs.run()
    old.send_signal(signal.SIGCONT)
    fenced = end_of(old)
    assert new.code == 0, new.log
    assert fenced.code != 0
    assert fenced.answer.get("outcome") != "Succeeded"
    assert database.query("SELECT count(*) FROM model_registry") == [(1,)]


def test_it_says_how_far_it_is_while_it_runs(runs: TrainingRuns, tmp_path: Path) -> None:
    process = runs.start(hyperparameters={"rounds": "600"})
    while _reached_or_none(tmp_path) < 20:
        time.sleep(0.01)
    with urllib.request.urlopen(f"http://127.0.0.1:{runs.port}/progress", timeout=5) as answer:
        told = json.loads(answer.read())
    process.kill()
    process.communicate()
    assert told["stage"].startswith("Fold")
    assert 0 < told["step"] < told["steps"]
    assert told["attempts"][0]["number"] == 1
    assert told["remainingSeconds"] >= 0
    assert told["checkpoint"]["step"] <= told["step"]


def test_checkpoints_of_runs_that_were_given_up_go_with_the_next_one(
    runs: TrainingRuns, tmp_path: Path
) -> None:
    def folder(run: int) -> dict[str, object]:
        return {"folder": str(tmp_path / f"runs/{run}"), "everySeconds": 0.01, "keep": 2}

    old = runs.start(run=1, checkpoints=folder(1))
    while not list((tmp_path / "runs/1").glob("checkpoint-*")):
        time.sleep(0.005)
    old.kill()
    old.communicate()
    ended = runs.run(run=2, checkpoints=folder(2))
    assert ended.code == 0, ended.log
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["2"]
