"""Connections break, hang and are refused; nothing is missed and nothing is written twice."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from integration.flaky_proxy import FlakyProxy
from integration.kube_client import Namespace, eventually
from integration.operator_process import OperatorProcess, Operators, write_kubeconfig
from integration.systems import build_service, build_system


@pytest.fixture
def proxy(namespace: Namespace) -> Iterator[FlakyProxy]:
    """A proxy between the operator and the API server."""
    with FlakyProxy(namespace.client.server).running() as running:
        yield running


@pytest.fixture
def replica(
    namespace: Namespace, operators: Operators, proxy: FlakyProxy, tmp_path: Path
) -> OperatorProcess:
    """A leading operator behind the proxy, with a Ready system `one`."""
    kubeconfig = write_kubeconfig(namespace, tmp_path / "proxied.kubeconfig", proxy.url)
    started = operators.start(kubeconfig)
    eventually(started.is_leading)
    namespace.create("tradingsystems", build_system("one", [build_service("api")]))
    eventually(lambda: namespace.is_ready("one"))
    operators.settle()
    return started


def test_changes_during_an_outage_are_seen_after_it(
    namespace: Namespace, operators: Operators, proxy: FlakyProxy, replica: OperatorProcess
) -> None:
    before = operators.writes()
    proxy.refuse(True)
    namespace.delete("services", "one-api")
    time.sleep(8)  # longer than the Lease: leadership is lost meanwhile
    assert not replica.is_leading()
    assert operators.writes() == before
    proxy.refuse(False)
    eventually(lambda: namespace.get("services", "one-api"))
    eventually(replica.is_leading, 10)


def test_cut_connections_lose_no_event(
    namespace: Namespace, proxy: FlakyProxy, replica: OperatorProcess
) -> None:
    for number in range(5):
        proxy.cut()
        namespace.delete("services", "one-api")
        eventually(lambda: namespace.get("services", "one-api"))
        name = f"more-{number}"
        namespace.create("tradingsystems", build_system(name, [build_service("api")]))
        eventually(partial(namespace.is_ready, name))


def test_a_leader_that_hears_nothing_stops_leading(
    proxy: FlakyProxy, replica: OperatorProcess
) -> None:
    with proxy.silence():
        eventually(lambda: not replica.is_leading(), 10)
        assert replica.get("livez").status_code == 200
    eventually(replica.is_leading)
