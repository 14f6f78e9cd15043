"""A recurrent network on a real node: trained without the GPU that it asked for, and traded."""

from e2e.trading_cluster import TradingCluster
from e2e.trainings import DATABASE, STRATEGY, Trainings, promote_and_watch
from e2e.waiting import eventually

DEVICES = [
    {"name": "gpu", "resource": "nvidia.com/gpu", "waitFor": "10s"},
    {"name": "cpu", "resources": {"requests": {"cpu": "200m", "memory": "1Gi"}}},
]


def test_it_falls_back_to_the_cpu_passes_its_gates_and_the_strategy_trades_with_it(
    trainings: Trainings, trading: TradingCluster
) -> None:
    before = trainings.strategy()
    trainings.apply(
        "deep",
        model={"type": "sequence-direction", "timeframe": "1h"},
        trainer="Sequence",
        hyperparameters={"epochs": "10", "window": "16", "hidden": "16"},
        devices=DEVICES,
        gates=[{"metric": "oosLogloss", "op": "<=", "value": "0.75"}],
        promotion=promote_and_watch("20s"),
    )
    told = trainings.wait_phase("deep", "Succeeded")
    version = told["version"]
    assert (version["device"], version["format"]) == ("cpu", "onnx")
    told = trainings.wait_promotion("deep", version["id"], "Kept")
    live = {each["name"]: float(each["value"]) for each in told["promotion"]["live"]}
    assert live["judged"] >= 10
    (line,) = trainings.models()
    assert (line["state"], line["trades"]) == ("Loaded", version["id"])
    scored = f"SELECT count(*) FROM signals WHERE model_id = '{version['id']}'"
    eventually(
        lambda: int(trading.sql(trainings.namespace, DATABASE, scored)[0][0]) >= 10, "signals"
    )
    assert trainings.strategy() == before
    # What scores the network would like to tell its maker of it.
    said = trading.kubectl("logs", "-n", trainings.namespace, STRATEGY)
    assert "telemetry" not in said
