"""Which failures of a pod are decisive, and which may pass by themselves."""

from typing import Any

import pytest

from trading_operator.kube.pod_facts import read_pod_facts
from unit.operator_runtime.objects import build_pod

CRASHED = {
    "exitCode": 3,
    "reason": "Error",
    "message": "no broker key\n",
    "finishedAt": "2026-01-02T03:04:05Z",
}
ENDED = {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-02T03:04:05Z"}
RUNS = {"running": {"startedAt": "2026-01-02T03:04:06Z"}}


def _container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "main", "restartCount": 0, "ready": False, "state": state, **more}


def _waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return _container({"waiting": {"reason": reason, "message": message}}, **more)


def _facts(*containers: dict[str, Any], **status: Any) -> Any:
    return read_pod_facts(
        build_pod("p", 1, phase="Running", containerStatuses=list(containers), **status)
    )


@pytest.mark.parametrize(
    ("container", "reason", "hard"),
    [
        (_container({"terminated": CRASHED}), "Error", True),
        # Restarted and running again: the first end counts, not only a crash loop.
        (_container(RUNS, lastState={"terminated": CRASHED}, restartCount=1), "Error", True),
        (_container({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), "OOMKilled", True),
        (_waiting("CrashLoopBackOff", lastState={"terminated": ENDED}), "Completed", True),
        (_waiting("ErrImagePull", "rpc error: x:1: not found"), "ErrImagePull", True),
        (_waiting("ImagePullBackOff", 'pull "x:1": manifest unknown'), "ImagePullBackOff", True),
        (_waiting("ErrImagePull", "pull access denied"), "ErrImagePull", True),
        (_waiting("InvalidImageName", "couldn't parse"), "InvalidImageName", True),
        (_waiting("ErrImagePull", "429 Too Many Requests"), "ErrImagePull", False),
        (_waiting("ErrImagePull", "dial tcp: i/o timeout"), "ErrImagePull", False),
        (
            _waiting("CreateContainerConfigError", 'couldn\'t find key "x" in Secret'),
            "CreateContainerConfigError",
            True,
        ),
        (
            _waiting("CreateContainerConfigError", "failed to sync configmap cache"),
            "CreateContainerConfigError",
            False,
        ),
    ],
)
def test_a_failure_is_decisive_unless_it_may_pass(
    container: dict[str, Any], reason: str, hard: bool
) -> None:
    fault = _facts(container).fault
    assert (fault.reason, fault.hard) == (reason, hard)


@pytest.mark.parametrize(
    "container",
    [
        _container(RUNS),
        _waiting("ContainerCreating"),
        _container({"terminated": ENDED}),
        # Its node was started anew: nobody knows how it ended.
        _container(
            RUNS, lastState={"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}
        ),
    ],
)
def test_what_starts_runs_or_ended_well_is_no_failure(container: dict[str, Any]) -> None:
    assert _facts(container).fault is None


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"reason": "Evicted"},
    ],
)
def test_a_pod_that_somebody_else_ends_has_not_failed(status: dict[str, Any]) -> None:
    assert _facts(_container({"terminated": CRASHED}), **status).fault is None


def test_a_failed_preparation_counts_and_the_decisive_failure_is_told_first() -> None:
    prepared = _container({"terminated": {**CRASHED, "exitCode": 7}})
    facts = _facts(
        _waiting("ErrImagePull", "timeout"), initContainerStatuses=[{**prepared, "name": "init"}]
    )
    assert facts.fault.message == "container init exited with 7 (Error): no broker key"
    assert facts.fault.at == CRASHED["finishedAt"]
    assert facts.fault.runs


def test_since_when_a_pod_runs_and_is_ready_is_told() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:09Z"}
    facts = _facts(_container(RUNS, ready=True), conditions=[ready])
    assert (facts.started_at, facts.ready_since) == (
        "2026-01-02T03:04:06Z",
        "2026-01-02T03:04:09Z",
    )
    assert _facts(_container(RUNS), _waiting("ContainerCreating")).started_at == ""
