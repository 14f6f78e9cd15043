"""ModelTrainingJobs beside the running example."""

import json
from typing import Any

from demo.steps import SYSTEM
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

STRATEGY = f"{SYSTEM}-trading-strategy-0"
DATABASE = f"{SYSTEM}-timescaledb-0"
HOURLY = {"type": "lightgbm-direction", "timeframe": "1h"}


def build(name: str, **spec: Any) -> dict[str, Any]:
    """Build a ModelTrainingJob of the example's hourly bars."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "ModelTrainingJob",
        "metadata": {"name": name},
        "spec": {
            "system": SYSTEM,
            "model": HOURLY,
            "config": "settings",
            "dataset": {"source": "timescaledb", "symbols": ["EURUSD"], "to": "2017-05-31"},
            "assumptions": {"costBps": "0.5", "barsPerYear": 6240},
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
            **spec,
        },
    }


def promote_and_watch(window: str) -> dict[str, Any]:
    """Build the promotion of a model that is watched for so long, by its live log loss."""
    live = {"metric": "liveLogloss", "op": "<=", "value": "0.8", "minBars": 10}
    return {
        "service": "trading-strategy",
        "mode": "Auto",
        "observation": {"window": window, "live": [live]},
    }


class Trainings:
    """ModelTrainingJobs beside the example."""

    def __init__(self, trading: TradingCluster, namespace: str) -> None:
        self.trading, self.namespace = trading, namespace

    def apply(self, name: str, **spec: Any) -> None:
        """Apply one."""
        self.trading.apply(self.namespace, build(name, **spec))

    def status(self, name: str) -> dict[str, Any]:
        """Return its status."""
        found = self.trading.tools.get("modeltrainingjob", name, "-n", self.namespace)
        status: dict[str, Any] = found.get("status", {})
        return status

    def wait_phase(self, name: str, phase: str, run: int = 1) -> dict[str, Any]:
        """Wait until a run has reached a phase and return the status."""

        def look() -> dict[str, Any]:
            told = self.status(name)
            reached = told.get("phase") == phase and told["run"]["number"] == run
            return told if reached else {}

        return eventually(look, f"{name}: run {run} {phase}", 120)

    def wait_promotion(self, name: str, version: str, phase: str) -> dict[str, Any]:
        """Wait until a version stands somewhere on its way into use, and return the status."""

        def look() -> dict[str, Any]:
            told = self.status(name)
            state = told.get("promotion", {})
            return told if (state.get("version"), state.get("phase")) == (version, phase) else {}

        return eventually(look, f"{name}: {version} {phase}", 90)

    def models(self) -> list[dict[str, Any]]:
        """Return what the strategy says of selected models."""
        answer = self.trading.get_http(self.namespace, STRATEGY, 8004, "/models")
        found: list[dict[str, Any]] = json.loads(answer)["models"]
        return found

    def strategy(self) -> tuple[str, int]:
        """Return which pod the strategy is, and how often it was restarted."""
        return self.trading.pod_identities(self.namespace)[STRATEGY]

    def annotate(self, name: str, command: str, value: str) -> None:
        """Ask for something once."""
        told = f"tradingoperator.io/{command}={value}"
        annotate = ("annotate", "--overwrite", "modeltrainingjob", name, told)
        self.trading.kubectl(*annotate, "-n", self.namespace)
