"""A system comes up in order, then costs nothing, and leaves its data when it goes."""

from datetime import datetime
from typing import Any

import pytest

from integration.kube_client import COLLECTED_SECONDS, Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_chain, build_service, build_system


@pytest.mark.acceptance("A59")
def test_components_start_when_what_they_need_is_ready(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)

    database = namespace.get("statefulsets", "chain-db")
    feed = namespace.get("deployments", "chain-feed")
    strategy = namespace.get("statefulsets", "chain-strategy")
    assert _ready_since(namespace, "db") <= _made(feed)
    assert _ready_since(namespace, "feed") <= _made(strategy)
    assert database["status"]["readyReplicas"] == 1
    system = namespace.get("tradingsystems", "chain")
    assert system["status"]["componentsReady"] == "3/3"
    generations = {each["observedGeneration"] for each in system["status"]["conditions"]}
    assert generations == {system["metadata"]["generation"]}


def test_a_system_without_edges_costs_one_write_for_each_child_and_one_status(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    services = [build_service(f"s{number}", tag="pretend-unready") for number in range(5)]
    namespace.create("tradingsystems", build_system("flat", services))
    eventually(lambda: len(namespace.list("deployments")) == 5)
    writes = operators.settle()
    children = [each for each in writes if each.startswith("create") and "events" not in each]
    # Two for each service, the stored rendering and the trading state.
    assert len(children) == 12, writes
    assert not [each for each in writes if each.startswith(("update", "delete"))], writes
    # The first status, and at most one more when the pods say that they are not ready.
    assert 1 <= writes.count("patch tradingsystems/flat/status") <= 2, writes


def test_a_settled_system_and_a_restart_cost_no_write(
    namespace: Namespace, operators: Operators
) -> None:
    first = operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)
    settled = operators.settle(2.0)
    assert first.stop() == 0

    second = operators.start_leading()
    eventually(lambda: _passes(second.metrics()) >= 1)
    assert operators.settle(2.0)[len(settled) :] == []


def test_a_deleted_system_leaves_its_volumes_and_what_opens_them(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)
    claims, secrets = namespace.names("persistentvolumeclaims"), namespace.names("secrets")
    assert claims
    assert secrets

    namespace.delete("tradingsystems", "chain")
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)
    assert namespace.names("persistentvolumeclaims") == claims
    assert namespace.names("secrets") == secrets
    after = operators.settle()
    assert operators.settle() == after


def test_a_system_made_anew_under_its_old_name_comes_up(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    system = build_system("again", [build_service("api")])
    namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready("again"))
    before = namespace.get("deployments", "again-api")["metadata"]["uid"]

    namespace.delete("tradingsystems", "again")
    namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready("again"))
    assert namespace.get("deployments", "again-api")["metadata"]["uid"] != before


def _children(namespace: Namespace) -> set[str]:
    kinds = ("deployments", "statefulsets", "services", "pods")
    return {name for kind in kinds for name in namespace.names(kind)}


def _made(manifest: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(manifest["metadata"]["creationTimestamp"])


def _ready_since(namespace: Namespace, component: str) -> datetime:
    (pod,) = namespace.list("pods", f"app.kubernetes.io/component={component}")
    (ready,) = (each for each in pod["status"]["conditions"] if each["type"] == "Ready")
    return datetime.fromisoformat(ready["lastTransitionTime"])


def _passes(metrics: str) -> float:
    lines = (
        line for line in metrics.splitlines() if line.startswith("trading_operator_reconcile_total")
    )
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
