"""ModelTrainingJobs on the running example: trained on its recorded bars, traded, taken back."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.test_strategy_is_killed import processes_of
from e2e.trading_cluster import TradingCluster
from e2e.trainings import DATABASE, STRATEGY, Trainings, promote_and_watch
from e2e.waiting import eventually

PROMOTION = promote_and_watch("15s")
GATES = [{"metric": "oosLogloss", "op": "<=", "value": "0.70"}]
BETTER = [{"metric": "oosLogloss", "op": "<=", "relativeTo": "Champion"}]
KILLS = 2


@pytest.fixture(scope="module")
def trainings(trading: TradingCluster, example: str) -> Iterator[Trainings]:
    yield Trainings(trading, example)
    trading.kubectl("delete", "modeltrainingjobs", "--all", "-n", example, "--timeout=60s")


@pytest.fixture(scope="module")
def champion(trainings: Trainings) -> str:
    """The version that was trained on the example's bars, and is traded."""
    before = trainings.strategy()
    trainings.apply("hourly", promotion=PROMOTION, gates=GATES)
    version: str = trainings.wait_phase("hourly", "Succeeded")["version"]["id"]
    trainings.wait_promotion("hourly", version, "Observing")
    assert trainings.strategy() == before
    return version


@pytest.mark.acceptance("A05", "A21", "A22", "A49", "A74", "E84")
def test_a_version_is_trained_judged_and_traded_without_a_restart(
    trainings: Trainings, trading: TradingCluster, champion: str
) -> None:
    (line,) = trainings.models()
    assert (line["state"], line["trades"]) == ("Loaded", champion)
    eventually(lambda: trainings.models()[0]["judged"] >= 10, "ten judged bars", 60)
    told = trainings.wait_promotion("hourly", champion, "Kept")
    scored = f"SELECT count(*) FROM signals WHERE model_id = '{champion}'"
    assert int(trading.sql(trainings.namespace, DATABASE, scored)[0][0]) >= 10
    assert all(gate["passed"] for gate in told["gates"]), told["gates"]
    assert [gate["name"] for gate in told["gates"]] == [
        "oosLogloss <= 0.70",
        "LabelShuffle",
        "FutureShift",
    ]
    digest = trading.kubectl(
        "exec", "-n", trainings.namespace, STRATEGY, "--", "sha256sum",
        f"/app/models/{told['version']['file']}",
    ).split()[0]  # fmt: skip
    assert digest == told["version"]["digest"]
    history = f"SELECT performance_history FROM model_registry WHERE model_id = '{champion}'"
    (row,) = trading.sql(trainings.namespace, DATABASE, history)
    assert [each["event"] for each in json.loads("|".join(row))] == ["Registered", "Selected"]
    listed = trading.kubectl("get", "modeltrainingjobs", "-n", trainings.namespace)
    assert champion in listed
    assert "Kept" in listed


def test_killed_again_and_again_it_goes_on_from_its_checkpoints_to_the_same_digest(
    trainings: Trainings, trading: TradingCluster
) -> None:
    spec: dict[str, Any] = {
        "model": {"type": "killed", "timeframe": "1h"},
        "hyperparameters": {"rounds": "1000"},
        "checkpoints": {"every": "1s"},
        "leakageChecks": [],
        "retries": KILLS,
    }
    trainings.apply("undisturbed", **spec)
    wanted = trainings.wait_phase("undisturbed", "Succeeded")["version"]
    trainings.apply("killed", **spec)
    selector = ("-l", "batch.kubernetes.io/job-name=killed-1-1", "-n", trainings.namespace)
    for kill in range(1, KILLS + 1):

        def look(kill: int = kill) -> bool:
            told = trainings.status("killed")
            return bool(told.get("lastCheckpoint", {}).get("attempt") == kill)

        eventually(look, f"a checkpoint of attempt {kill}", 90)
        pods = trading.tools.get("pods", *selector)["items"]
        running = next(each for each in pods if each["status"]["phase"] == "Running")
        for pid in processes_of(running["metadata"]["uid"], "trading_services"):
            os.kill(pid, signal.SIGKILL)
    told = trainings.wait_phase("killed", "Succeeded")
    assert told["version"]["digest"] == wanted["digest"]
    assert [each["number"] for each in told["attempts"]] == list(range(1, KILLS + 2))
    assert all(each["resumedFromStep"] > 0 for each in told["attempts"][1:])


def test_a_worse_challenger_and_one_that_leaks_are_refused(
    trainings: Trainings, trading: TradingCluster, champion: str
) -> None:
    later = {"source": "timescaledb", "symbols": ["EURUSD"], "to": "2017-06-30"}
    wild = {"learning_rate": "0.9", "num_leaves": "63", "min_data_in_leaf": "2", "lambda_l2": "0"}
    trainings.apply(
        "hourly", promotion=PROMOTION, gates=BETTER, dataset=later, hyperparameters=wild
    )
    version = trainings.wait_phase("hourly", "Succeeded", run=2)["version"]["id"]
    worse = trainings.wait_promotion("hourly", version, "Refused")
    gate = worse["gates"][0]
    assert not gate["passed"]
    assert float(gate["value"]) > float(gate["bound"])
    assert worse["champion"]["id"] == champion
    # Tomorrow's return, called a feature of today.
    plant = """INSERT INTO features
        SELECT 'EURUSD', timestamp, 'leak', value, '1h', 'planted' FROM (
            SELECT timestamp, lead(open, 2) OVER w / lead(open, 1) OVER w - 1 AS value
            FROM stock_aggs WHERE symbol = 'EURUSD' AND timeframe = '1h'
              AND timestamp < '2017-05-01' WINDOW w AS (ORDER BY timestamp)
        ) AS planted WHERE value IS NOT NULL"""
    trading.sql(trainings.namespace, DATABASE, plant)
    try:
        trainings.apply(
            "leaking",
            model={"type": "leaking", "timeframe": "1h"},
            dataset={"source": "timescaledb", "symbols": ["EURUSD"]},
            features=["leak", "return_1", "return_5"],
            promotion=PROMOTION,
        )
        leaking = trainings.wait_phase("leaking", "Succeeded")
    finally:
        forget = "DELETE FROM features WHERE feature_name = 'leak'"
        trading.sql(trainings.namespace, DATABASE, forget)
    gates = {each["name"]: each for each in leaking["gates"]}
    assert leaking["promotion"]["phase"] == "Refused"
    assert not gates["FutureShift"]["passed"]
    assert float(gates["FutureShift"]["value"]) > 0.1
    assert "champion" not in leaking


def test_a_promoted_version_that_fails_goes_back_by_itself(
    trainings: Trainings, trading: TradingCluster, champion: str
) -> None:
    manual = {**PROMOTION, "mode": "Manual"}
    trainings.apply("hourly", promotion=manual, seed=11)
    version = trainings.wait_phase("hourly", "Succeeded", run=3)["version"]
    trainings.wait_promotion("hourly", version["id"], "AwaitingApproval")
    trainer = trading.pods(trainings.namespace, "model-training")[0]["metadata"]["name"]
    damage = f"echo >> /app/models/{version['file']}"
    trading.kubectl("exec", "-n", trainings.namespace, trainer, "--", "sh", "-c", damage)
    before = trainings.strategy()
    trainings.annotate("hourly", "approve", version["id"])
    told = trainings.wait_promotion("hourly", version["id"], "RolledBack")
    assert "SHA-256 differs" in told["promotion"]["message"]
    assert told["champion"]["id"] == champion
    assert [each["id"] for each in told["blocked"]] == [version["id"]]
    eventually(
        lambda: (
            [(each["id"], each["state"]) for each in trainings.models()] == [(champion, "Loaded")]
        ),
        "the former version is traded",
    )
    assert trainings.strategy() == before


def test_what_there_is_no_data_for_fails_with_field_and_mend(trainings: Trainings) -> None:
    trainings.apply(
        "empty",
        model={"type": "empty", "timeframe": "1h"},
        dataset={"source": "timescaledb", "symbols": ["EURUSD"], "from": "2030-01-01"},
    )
    told = trainings.wait_phase("empty", "Failed")
    assert told["run"]["reason"] == "EmptyDataset"
    assert "mend dataset.from, dataset.to or dataset.asOf" in told["run"]["message"]
    assert "version" not in told
