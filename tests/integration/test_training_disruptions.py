"""What takes a training off its node, on a real scheduler: it goes on, and no try is spent."""

import uuid
from typing import Any

from integration.backups import pod_of
from integration.kube_client import KubeClient, Namespace, eventually
from integration.operator_process import Operators
from integration.trainings import (
    OPERATOR,
    RUNS_ON,
    build_gpu_node,
    build_training,
    condition,
    end_training,
    phase,
    start_system,
    status,
    trained,
)

Manifest = dict[str, Any]


def _tolerations(node: str) -> list[Manifest]:
    return [{"key": "gpu", "value": node, "effect": "NoSchedule"}]


def _start(space: Namespace, node: str, resource: str) -> Manifest:
    """Start a training whose first failure that counts ends it; return its pod."""
    start_system(space)
    device = {"name": "gpu", "resource": resource, "tolerations": _tolerations(node)}
    space.create("modeltrainingjobs", build_training(devices=[device], retries=0))
    pod = eventually(lambda: pod_of(space, "daily-1-1"))
    assert pod is not None
    eventually(lambda: phase(space) == "Training")
    return pod


def _goes_on(space: Namespace, former: Manifest) -> None:
    """Wait for another pod, in whichever Job, end it well, and see the run succeed."""

    def another() -> str:
        for pod in space.list("pods", "batch.kubernetes.io/job-name"):
            other = pod["metadata"]["uid"] != former["metadata"]["uid"]
            if other and pod["status"].get("phase") == "Running":
                return str(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"])
        return ""

    job = eventually(another, 90)
    end_training(space, job, trained())
    eventually(lambda: phase(space) == "Succeeded")
    assert status(space)["run"]["number"] == 1


def _build_important(node: str, resource: str, priority: str) -> Manifest:
    needs = {"cpu": "10m", "memory": "16Mi", resource: "1"}
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "main",
        "image": RUNS_ON,
        "resources": {"requests": needs, "limits": needs},
        "securityContext": confined,
    }
    spec = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "priorityClassName": priority,
        "tolerations": _tolerations(node),
        "containers": [container],
    }
    return {"metadata": {"name": "important"}, "spec": spec}


def test_a_training_gives_its_device_to_a_pod_of_higher_priority_and_takes_it_back(
    client: KubeClient, namespace: Namespace, operators: Operators, gpu_node: tuple[str, str]
) -> None:
    operators.start_leading(**OPERATOR)
    node, resource = gpu_node
    former = _start(namespace, node, resource)
    priority = f"high-{uuid.uuid4().hex[:8]}"
    classes = "apis/scheduling.k8s.io/v1/priorityclasses"
    client.request("POST", classes, {"metadata": {"name": priority}, "value": 1000})
    try:
        namespace.create("pods", _build_important(node, resource, priority))
        eventually(lambda: _is_disrupted(namespace, former, "PreemptionByScheduler"))
        end_training(namespace, "daily-1-1", "stopped", exit_code=143)
        eventually(lambda: _runs(namespace, "important"), 60)
        eventually(lambda: condition(namespace, "Reconciling")[1] == "DeviceBusy", 60)
        namespace.delete("pods", "important")
        _goes_on(namespace, former)
    finally:
        client.request("DELETE", f"{classes}/{priority}")


def test_a_training_whose_node_is_lost_goes_on_once_there_is_one_again(
    client: KubeClient, namespace: Namespace, operators: Operators, gpu_node: tuple[str, str]
) -> None:
    operators.start_leading(**OPERATOR)
    node, resource = gpu_node
    former = _start(namespace, node, resource)
    client.request("DELETE", f"api/v1/nodes/{node}")
    name = former["metadata"]["name"]
    eventually(lambda: namespace.get("pods", name) is None, 120)
    eventually(lambda: condition(namespace, "Reconciling")[1] == "NoMatchingDevice", 60)
    client.request("POST", "api/v1/nodes", build_gpu_node(node, resource))
    _goes_on(namespace, former)


def _is_disrupted(space: Namespace, pod: Manifest, reason: str) -> bool:
    found = space.get("pods", pod["metadata"]["name"]) or {}
    conditions = found.get("status", {}).get("conditions", [])
    told = [each for each in conditions if each["type"] == "DisruptionTarget"]
    return [each["reason"] for each in told] == [reason]


def _runs(space: Namespace, pod: str) -> bool:
    return bool((space.get("pods", pod) or {}).get("status", {}).get("phase") == "Running")
