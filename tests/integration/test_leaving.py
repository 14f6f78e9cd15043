"""What left the spec ends in order, and a single writer never runs beside what it replaces."""

from typing import Any

from integration.kube_client import RELEASED, Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system

HOLD = {"metadata": {"finalizers": ["test.example/hold"]}}


def test_a_single_writer_waits_for_the_pod_of_the_kind_that_it_had_before(
    namespace: Namespace, operators: Operators
) -> None:
    since = _start(namespace, operators, build_system("one", [build_service("app")]))
    (old,) = namespace.names("pods")
    namespace.merge("pods", old, HOLD)
    _edit(namespace, services=[build_service("app", workload="SingleWriter")])
    eventually(lambda: _ends(namespace, "pods", old))
    # It is seen for as long as it, or its ReplicaSet, may still have a pod.
    assert _ends(namespace, "deployments", "one-app")
    operators.settle(2.0)
    assert namespace.names("pods") == {old}
    namespace.merge("pods", old, RELEASED)
    eventually(lambda: namespace.is_ready("one"), 60)
    assert namespace.names("pods") == {"one-app-0"}
    assert _most_at_once(namespace, since) == 1


def test_a_single_writer_wakes_after_the_pod_of_the_kind_that_it_had_before_it_slept(
    namespace: Namespace, operators: Operators
) -> None:
    since = _start(namespace, operators, build_system("one", [build_service("app")]))
    (old,) = namespace.names("pods")
    namespace.merge("pods", old, HOLD)
    writer = [build_service("app", workload="SingleWriter")]
    _edit(namespace, hibernated=True, services=writer)
    eventually(lambda: _ends(namespace, "pods", old))
    operators.settle(2.0)
    _edit(namespace, hibernated=False)
    operators.settle(2.0)
    assert namespace.names("pods") == {old}
    namespace.merge("pods", old, RELEASED)
    eventually(lambda: namespace.is_ready("one"), 60)
    assert namespace.names("pods") == {"one-app-0"}
    assert _most_at_once(namespace, since) == 1


def test_a_service_and_its_database_leave_in_order_and_the_status_names_them(
    namespace: Namespace, operators: Operators
) -> None:
    services = [build_service("bot", "db", workload="SingleWriter"), build_service("api")]
    _start(namespace, operators, build_system("one", services, [build_datastore("db")]))
    namespace.merge("pods", "one-bot-0", HOLD)
    _edit(namespace, datastores=[], services=[build_service("api")])
    eventually(lambda: _ends(namespace, "pods", "one-bot-0"))
    operators.settle(2.0)
    assert not _ends(namespace, "pods", "one-db-0")
    assert namespace.get("services", "one-db") is not None
    told = namespace.condition("one", "Reconciling")
    assert told["status"] == "True"
    assert "left the spec, still there: bot, db" in told["message"]
    namespace.merge("pods", "one-bot-0", RELEASED)
    eventually(lambda: not namespace.names("statefulsets"))
    eventually(lambda: namespace.condition("one", "Reconciling")["status"] == "False")
    assert namespace.get("services", "one-db") is None


def _start(namespace: Namespace, operators: Operators, system: dict[str, Any]) -> str:
    """Start a system and return the version of the pods before it was there."""
    operators.start_leading()
    listed = namespace.client.request("GET", namespace.path("pods"))
    namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready("one"), 60)
    operators.settle()
    return str(listed["metadata"]["resourceVersion"])


def _edit(namespace: Namespace, **spec: Any) -> None:
    namespace.merge("tradingsystems", "one", {"spec": spec})


def _ends(namespace: Namespace, kind: str, name: str) -> bool:
    live = namespace.get(kind, name)
    return live is None or "deletionTimestamp" in live["metadata"]


def _most_at_once(namespace: Namespace, since: str) -> int:
    """Return how many pods there were at most at any time."""
    there: set[str] = set()
    most = 0
    for event in namespace.client.history(namespace.path("pods"), since):
        uid = event["object"]["metadata"]["uid"]
        there = there - {uid} if event["type"] == "DELETED" else there | {uid}
        most = max(most, len(there))
    return most
