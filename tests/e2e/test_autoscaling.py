"""A busy worker gets more pods from the real autoscaler, and has them again after hibernation."""

from typing import Any

import pytest

from e2e.small_system import SERVE, build_service, build_system
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

BURN = f"while :; do :; done & {SERVE}"


def _spec(hibernated: bool) -> dict[str, Any]:
    worker = build_service(
        "worker",
        command=["sh", "-c", BURN],
        autoscaling={"min": 1, "max": 3, "cpu": 50, "scaleDownStabilization": "10m"},
        resources={
            "requests": {"cpu": "50m", "memory": "32Mi"},
            "limits": {"cpu": "150m", "memory": "128Mi"},
        },
    )
    return {"hibernated": hibernated, "services": [worker]}


@pytest.mark.acceptance("B35", "B43", "C23")
def test_load_brings_pods_and_waking_brings_them_back(
    trading: TradingCluster, namespace: str
) -> None:
    def pods() -> int:
        return len(trading.pods(namespace, "worker"))

    trading.apply(namespace, build_system("busy", **_spec(False)))
    trading.wait_ready(namespace, "busy", timeout=120)
    eventually(lambda: pods() == 3, "three busy pods", 180)
    assert trading.component(namespace, "busy", "worker")["desired"] == 3

    trading.apply(namespace, build_system("busy", **_spec(True)))
    eventually(lambda: pods() == 0, "no pod in hibernation", 60)
    trading.apply(namespace, build_system("busy", **_spec(False)))
    eventually(lambda: pods() == 3, "three pods at once", 20)
    trading.wait_ready(namespace, "busy", timeout=120)
