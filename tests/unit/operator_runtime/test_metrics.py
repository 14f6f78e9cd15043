"""The metrics follow Prometheus's conventions and tell of systems as they are."""

import subprocess
from collections.abc import Iterator

import pytest
from kubernetes.aio.client import Configuration
from prometheus_client import disable_created_metrics, enable_created_metrics, generate_latest

from cluster.tools import find_test_program
from trading_operator.controllers import system_metrics
from trading_operator.controllers.runtime import Runtime
from trading_operator.controllers.system_metrics import count_conditions, read_conditions
from trading_operator.controllers.trading_systems import Systems, read_facts
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.connection import Connection
from trading_operator.kube.resources import TRADING_SYSTEMS
from trading_operator.metrics import Metrics
from trading_operator.settings import Settings
from unit.operator_runtime.objects import build_body

URL = "http://127.0.0.1:9"


def with_conditions(name: str, **conditions: str) -> dict[str, object]:
    """Build a system's body with these conditions."""
    told = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {**build_body(name), "status": {"conditions": told}}


def known(*bodies: dict[str, object]) -> Systems:
    """Build the systems that an operator knows."""
    systems = Systems(TRADING_SYSTEMS.kind, read_facts, lambda _: None, lambda _: None)
    for body in bodies:
        systems.take_event("ADDED", body)
    return systems


def build_runtime() -> Runtime:
    """Build an operator that talks to nobody."""
    connection = Connection(URL, Configuration(host=URL), False)
    return Runtime(Settings(), OperandSettings("operator", {}), connection, Metrics())


@pytest.fixture
def served() -> Iterator[str]:
    """What an operator serves that has met every kind of label."""
    metrics = Metrics()
    metrics.failures.labels("Conflict").inc()
    metrics.reconciles.labels("success").inc()
    metrics.api_requests.labels("get", "pods", "200").inc()
    metrics.api_request_seconds.labels("get", "pods").observe(1)
    metrics.watch_restarts.labels("pods").inc()
    metrics.build.labels("1").set(1)
    metrics.systems_by_condition.read_from(lambda: count_conditions(known()))
    disable_created_metrics()  # type: ignore[no-untyped-call]
    yield generate_latest(metrics.registry).decode()
    enable_created_metrics()  # type: ignore[no-untyped-call]


def test_names_types_and_help_follow_the_conventions_of_prometheus(served: str) -> None:
    program = find_test_program("promcheck")
    if not program.exists():
        pytest.fail("promcheck is not built: run `python3 -m cluster setup`")
    done = subprocess.run(
        [str(program), "metrics"], input=served, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_metric_is_served_under_the_name_that_is_told(served: str) -> None:
    lines = [line.split() for line in served.splitlines() if line.startswith("# TYPE trading_op")]
    described = Metrics().described
    assert {(line[2], line[3]) for line in lines} == {(each.name, each.kind) for each in described}
    assert all(each.meaning.endswith(".") for each in described)


def test_a_system_has_one_series_for_each_status_and_none_when_it_is_gone() -> None:
    systems = known(with_conditions("one", Ready="True", Stalled="False", Available="True"))
    found = dict(read_conditions(systems))
    assert found["ns", "one", "Ready", "True"] == 1
    assert found["ns", "one", "Ready", "False"] == found["ns", "one", "Ready", "Unknown"] == 0
    assert found["ns", "one", "Degraded", "Unknown"] == 1
    body = systems.get(next(iter(systems)))
    assert body is not None
    systems.take_event("DELETED", body)
    assert list(read_conditions(systems)) == []


def test_systems_are_counted_by_condition() -> None:
    systems = known(with_conditions("one", Ready="True"), with_conditions("two", Ready="False"))
    counted = dict(count_conditions(systems))
    assert counted["Ready", "True"] == counted["Ready", "False"] == 1
    assert counted["Stalled", "Unknown"] == 2
    assert len(counted) == 15


def test_the_series_of_systems_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_metrics, "SYSTEMS_LIMIT", 2)
    systems = known(*(with_conditions(f"s{number}", Ready="True") for number in range(5)))
    assert {labels[1] for labels, _ in read_conditions(systems)} == {"s0", "s1"}


async def test_a_standby_tells_of_no_system_and_of_no_queue() -> None:
    runtime = build_runtime()
    runtime.systems.registry.take_event("ADDED", with_conditions("one", Ready="True"))
    text = generate_latest(runtime.metrics.registry).decode()
    await runtime.stop()
    assert "trading_operator_system_condition{" not in text
    assert "trading_operator_queue_depth 0.0" in text
    assert runtime.systems.queue.depth == 1
    assert 'trading_operator_watch_silence_seconds{resource="pods",watched_namespace=""}' in text
