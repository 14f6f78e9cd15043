"""A program that stops answering its health check is started again, in its pod and alone."""

from typing import Any

import pytest

from e2e.small_system import build_service, build_system
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

# It answers /alive for as long as the file is there; a new start makes it again.
SERVE = "touch /tmp/alive; exec python3 -m http.server --bind 0.0.0.0 --directory /tmp 8080"
ALIVE = {"path": "/alive", "period": "1s", "failureThreshold": 2}


def _container(trading: TradingCluster, namespace: str, component: str) -> dict[str, Any]:
    (pod,) = trading.pods(namespace, component)
    (status,) = pod["status"]["containerStatuses"]
    return {**status, "pod": pod["metadata"]["uid"]}


@pytest.mark.acceptance("D58", "E72")
def test_an_unhealthy_program_is_started_again_and_nobody_else(
    trading: TradingCluster, namespace: str
) -> None:
    checks = {"command": ["sh", "-c", SERVE], "health": ALIVE, "liveness": ALIVE}
    services = [build_service("sick", **checks), build_service("well", **checks)]
    trading.apply(namespace, build_system("ward", services=services))
    trading.wait_ready(namespace, "ward")
    sick, well = (_container(trading, namespace, name) for name in ("sick", "well"))
    (pod,) = trading.pods(namespace, "sick")
    remove = ("rm", "/tmp/alive")
    trading.kubectl("exec", "-n", namespace, pod["metadata"]["name"], "--", *remove)

    eventually(
        lambda: _container(trading, namespace, "sick")["restartCount"] == 1,
        "a new start of the program",
        60,
    )
    trading.wait_ready(namespace, "ward")
    now = _container(trading, namespace, "sick")
    assert now["pod"] == sick["pod"]
    assert now["containerID"] != sick["containerID"]  # one container, and it is another one
    assert "running" in now["state"]
    assert _container(trading, namespace, "well")["containerID"] == well["containerID"]
