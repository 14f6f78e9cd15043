"""The fake nodes: a pod that is made again under its old name is not taken for the one before."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.api import ClusterHandle
from cluster.processes import ProcessTable
from integration.kube_client import KubeClient, eventually

COUNT = 10
POD = {
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containers": [
        {
            "name": "main",
            "image": "registry.example/a:1",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}
SET = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "twins"},
    "spec": {
        "replicas": COUNT,
        "serviceName": "twins",
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": "twins"}},
        "template": {"metadata": {"labels": {"app": "twins"}}, "spec": POD},
    },
}


@contextmanager
def _suspended(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def test_a_pod_is_replaced_once_however_often_it_was_seen_going(
    client: KubeClient, control_plane: ClusterHandle
) -> None:
    state = control_plane.state_dir
    kwok = ProcessTable(state / "pids", state / "logs").pid_of("kwok")
    assert kwok is not None
    with client.new_namespace("it") as namespace:

        def ready() -> set[str]:
            pods = namespace.list("pods")
            return {pod["metadata"]["uid"] for pod in pods if _is_ready(pod)}

        namespace.create("statefulsets", SET)
        before = eventually(lambda: ready() if len(ready()) == COUNT else set())
        version = client.request("GET", namespace.path("pods"))["metadata"]["resourceVersion"]
        with _suspended(kwok):
            client.request("DELETE", namespace.path("pods"))
            for seen in range(4):
                for name in namespace.names("pods"):
                    patch = {"metadata": {"annotations": {"seen": str(seen)}}}
                    namespace.merge("pods", name, patch)
        eventually(lambda: len(ready() - before) == COUNT)
        events = client.history(namespace.path("pods"), version)
        made = [each["object"] for each in events if each["type"] == "ADDED"]
        assert sorted(pod["metadata"]["name"] for pod in made) == sorted(namespace.names("pods"))
