"""Every service logs JSON, serves metrics and answers the service contract."""

import json

import pytest

from e2e.trading_cluster import TradingCluster

PORTS = {
    "system-controller": 8000,
    "data-acquisition": 8001,
    "feature-engineering": 8002,
    "model-training": 8003,
    "trading-strategy": 8004,
}


@pytest.fixture(params=sorted(PORTS))
def service(
    request: pytest.FixtureRequest, trading: TradingCluster, example: str
) -> tuple[str, str, int]:
    """Namespace, pod and port of one service."""
    pod = trading.pods(example, request.param)[0]["metadata"]["name"]
    return example, pod, PORTS[request.param]


@pytest.mark.acceptance("A08", "A77")
def test_logs_are_one_json_object_a_line(
    trading: TradingCluster, service: tuple[str, str, int]
) -> None:
    namespace, pod, _port = service
    lines = trading.kubectl("logs", "-n", namespace, pod, "--tail=50").splitlines()
    assert lines
    for line in lines:
        assert {"timestamp", "level", "event"} <= json.loads(line).keys()


@pytest.mark.acceptance("A09", "A77")
def test_metrics_are_scraped_in_the_prometheus_format(
    trading: TradingCluster, service: tuple[str, str, int]
) -> None:
    metrics = trading.get_http(*service, "/metrics")
    assert "# TYPE" in metrics
    assert "process_resident_memory_bytes" in metrics


@pytest.mark.acceptance("A54", "A55", "A56", "A57")
def test_the_contract_answers(trading: TradingCluster, service: tuple[str, str, int]) -> None:
    for path in ("/livez", "/readyz", "/health"):
        assert trading.get_http(*service, path)


@pytest.mark.acceptance("A09")
def test_the_operator_serves_metrics(trading: TradingCluster) -> None:
    pod = trading.pods("trading-operator")[0]["metadata"]["name"]
    metrics = trading.get_http("trading-operator", pod, 8080, "/metrics")
    assert "trading_operator_reconcile_total" in metrics
    assert "trading_operator_leader" in metrics


def test_the_operator_logs_json(trading: TradingCluster) -> None:
    pod = trading.pods("trading-operator")[0]["metadata"]["name"]
    for line in trading.kubectl("logs", "-n", "trading-operator", pod).splitlines():
        assert "level" in json.loads(line)
