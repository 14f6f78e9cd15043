"""The chart's hook, as a Job in the operator's own image, leaves nothing that waits for it.

The last of the tier by its name: it removes the operator that the others share.
"""

from typing import Any

import pytest

from demo.ownership import RELEASE
from demo.steps import OPERATOR_NAMESPACE
from e2e.small_system import build_service, build_system
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

FINALIZER = "tradingoperator.io/ordered-stop"
JOB = f"{RELEASE}-uninstall"
ENFORCED = "pod-security.kubernetes.io/enforce"


def build_single_writer() -> dict[str, Any]:
    """Build a system that stops in order when it is deleted."""
    return build_system("desk", services=[build_service("writer", workload="SingleWriter")])


def finalizers(trading: TradingCluster, namespace: str) -> list[str]:
    """Return what holds the system when it is deleted."""
    return list(trading.system(namespace, "desk")["metadata"].get("finalizers") or ())


def what_the_job_did(trading: TradingCluster) -> set[str]:
    """Return the reasons of the events of the hook's Job; the Job itself is gone."""
    chosen = f"involvedObject.kind=Job,involvedObject.name={JOB}"
    events = trading.tools.get("events", "-n", OPERATOR_NAMESPACE, f"--field-selector={chosen}")
    return {event["reason"] for event in events["items"]}


@pytest.mark.acceptance("B32")
@pytest.mark.usefixtures("reinstalled")
def test_after_an_uninstall_systems_run_on_and_a_deleted_one_waits_for_nobody(
    trading: TradingCluster, namespace: str
) -> None:
    trading.apply(namespace, build_single_writer())
    trading.wait_ready(namespace, "desk")
    assert finalizers(trading, namespace) == [FINALIZER]
    labels = trading.tools.get("namespace", OPERATOR_NAMESPACE)["metadata"]["labels"]
    assert labels[ENFORCED] == "restricted"
    before = trading.pod_identities(namespace)

    uninstall = ("helm", "uninstall", RELEASE, "-n", OPERATOR_NAMESPACE, "--wait")
    trading.tools.run(*uninstall, timeout=180)
    assert "Completed" in what_the_job_did(trading)
    eventually(lambda: trading.pods(OPERATOR_NAMESPACE) == [], "the operator's pods gone")
    assert finalizers(trading, namespace) == []
    assert trading.pod_identities(namespace) == before

    trading.kubectl("delete", "tradingsystem", "desk", "-n", namespace, "--timeout=30s")
    eventually(lambda: trading.pods(namespace) == [], "the system's pods gone")

    # What somebody left with the finalizer holds up no namespace of these tests either.
    with trading.namespace("left") as left:
        held = build_single_writer()
        held["metadata"]["finalizers"] = [FINALIZER]
        trading.apply(left, held)
    trading.kubectl("wait", "--for=delete", f"namespace/{left}", "--timeout=60s")
