"""A settled system costs no writes, and a restart of the operator changes nothing."""

import time

from demo.steps import OPERATOR_NAMESPACE, SYSTEM
from e2e.trading_cluster import OPERATOR_USER, TradingCluster
from e2e.waiting import eventually

SETTLED = 20.0  # seconds


def operator_pods(trading: TradingCluster) -> list[str]:
    """Return the names of the operator's pods that are ready and not on their way out."""
    return [
        pod["metadata"]["name"]
        for pod in trading.pods(OPERATOR_NAMESPACE)
        if "deletionTimestamp" not in pod["metadata"]
        and all(c["ready"] for c in pod["status"].get("containerStatuses", [{"ready": False}]))
    ]


def test_a_settled_system_costs_no_writes(trading: TradingCluster, example: str) -> None:
    trading.wait_proven(example, SYSTEM)
    start = trading.audit.position()
    time.sleep(SETTLED)
    assert trading.audit.writes_since(start, OPERATOR_USER) == []


def test_a_killed_operator_comes_back_and_changes_nothing(
    trading: TradingCluster, example: str
) -> None:
    trading.wait_proven(example, SYSTEM)
    before = trading.pod_identities(example)
    system = trading.system(example, SYSTEM)
    old = operator_pods(trading)
    start = trading.audit.position()
    trading.kubectl("delete", "pod", "-n", OPERATOR_NAMESPACE, *old, "--grace-period=0", "--force")
    eventually(lambda: set(operator_pods(trading)) - set(old), "a new operator pod", 90)
    time.sleep(SETTLED)
    assert trading.audit.writes_since(start, OPERATOR_USER) == []
    assert trading.pod_identities(example) == before
    assert (
        trading.system(example, SYSTEM)["metadata"]["resourceVersion"]
        == (system["metadata"]["resourceVersion"])
    )


def test_a_deleted_child_is_put_back_without_touching_the_others(
    trading: TradingCluster, example: str
) -> None:
    before = trading.pod_identities(example)
    name = "feature-engineering"
    old = trading.tools.get("service", name, "-n", example)["metadata"]["uid"]
    trading.kubectl("delete", "service", name, "-n", example)
    eventually(
        lambda: (
            name in trading.kubectl("get", "services", "-n", example)
            and trading.tools.get("service", name, "-n", example)["metadata"]["uid"] != old
        ),
        "the Service put back",
        30,
    )
    assert trading.pod_identities(example) == before
