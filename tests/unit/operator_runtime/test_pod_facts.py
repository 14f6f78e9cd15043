"""Why a pod is not ready, in the words that help."""

from typing import Any

import pytest

from trading_operator.kube.pod_facts import MESSAGE_LENGTH, read_pod_facts
from unit.operator_runtime.objects import build_pod

CRASHED = {"exitCode": 3, "reason": "Error", "message": "no broker key\n"}


def _container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "main", "restartCount": 0, "ready": False, "state": state, **more}


def _pod(*containers: dict[str, Any], phase: str = "Running", **more: Any) -> dict[str, Any]:
    return build_pod("p", 1, phase=phase, containerStatuses=list(containers), **more)


@pytest.mark.parametrize(
    ("pod", "reason", "text"),
    [
        (
            _pod(_container({"waiting": {"reason": "ImagePullBackOff", "message": "x:1 absent"}})),
            "ImagePullBackOff",
            "container main: x:1 absent",
        ),
        (
            _pod(
                _container(
                    {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                    lastState={"terminated": CRASHED},
                )
            ),
            "CrashLoopBackOff",
            "container main exited with 3 (Error): no broker key",
        ),
        (
            _pod(_container({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})),
            "OOMKilled",
            "container main exited with 137 (OOMKilled)",
        ),
        (
            _pod(
                phase="Pending",
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes have nvidia.com/gpu",
                    }
                ],
            ),
            "Unschedulable",
            "0/3 nodes have nvidia.com/gpu",
        ),
        (
            _pod(phase="Failed", reason="Evicted", message="disk pressure"),
            "Evicted",
            "disk pressure",
        ),
        (
            _pod(_container({"running": {}})),
            "NotReady",
            "container main runs, and its health check does not pass",
        ),
        (_pod(_container({"waiting": {"reason": "ContainerCreating"}}), phase="Pending"), "", ""),
        (_pod(phase="Pending"), "", ""),
    ],
)
def test_the_reason_that_keeps_a_pod_from_being_ready(
    pod: dict[str, Any], reason: str, text: str
) -> None:
    facts = read_pod_facts(pod)
    assert (facts.reason, facts.message) == (reason, text)
    assert not facts.ready


def test_a_failed_init_container_is_named_before_the_main_one() -> None:
    pod = _pod(_container({"waiting": {"reason": "PodInitializing"}}), phase="Pending")
    pod["status"]["initContainerStatuses"] = [
        {"name": "init", "restartCount": 2, "state": {"terminated": CRASHED}}
    ]
    facts = read_pod_facts(pod)
    assert facts.message.startswith("container init exited with 3")
    assert facts.restarts == 2


def test_a_ready_pod_has_no_reason() -> None:
    pod = _pod(_container({"running": {}}, ready=True, started=True))
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    facts = read_pod_facts(pod)
    assert (facts.ready, facts.started, facts.reason, facts.message) == (True, True, "", "")


def test_a_pod_on_its_way_out_says_so() -> None:
    pod = build_pod("p", 1)
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert read_pod_facts(pod).deleting


def test_a_long_termination_message_is_cut() -> None:
    last = {"terminated": {**CRASHED, "message": "x" * 4096}}
    pod = _pod(_container({"waiting": {"reason": "CrashLoopBackOff"}}, lastState=last))
    assert len(read_pod_facts(pod).message) == MESSAGE_LENGTH


@pytest.mark.parametrize(("deleting", "ready"), [(True, False), (False, False), (True, True)])
def test_a_pod_whose_node_fell_silent_is_told_from_one_that_stops(
    deleting: bool, ready: bool
) -> None:
    pod = _pod(
        {**_container({"running": {}}), "ready": True},
        conditions=[{"type": "Ready", "status": str(ready)}],
    )
    pod["spec"] = {"nodeName": "node-7"}
    if deleting:
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    facts = read_pod_facts(pod)
    assert facts.reason == ("" if ready else "NodeUnreachable")
    assert ready or "node-7 does not answer" in facts.message
