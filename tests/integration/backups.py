"""Backups for tests; the test itself ends their pods, and says what their programs said."""

import json
from typing import Any

from integration.kube_client import Namespace, eventually

# kwok lets a pod of this tag run for ever.
RUNS_ON = "registry.example/trading-backup:pretend-unready"
OPERATOR = {"IMAGE_BACKUP": RUNS_ON}
Manifest = dict[str, Any]


def build_backup(name: str, system: str, **spec: Any) -> Manifest:
    """Build a Backup onto a volume of the operator's own."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "Backup",
        "metadata": {"name": name},
        "spec": {"system": system, "destination": {"volume": {"size": "1Gi"}}, **spec},
    }


def build_restore(name: str, backup: str, **spec: Any) -> Manifest:
    """Build a Restore of a Backup."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "Restore",
        "metadata": {"name": name},
        "spec": {"backup": backup, **spec},
    }


def pod_of(space: Namespace, job: str) -> Manifest | None:
    """Return the newest pod of a Job, once it runs."""
    pods = space.list("pods", f"batch.kubernetes.io/job-name={job}")
    running = [each for each in pods if each["status"].get("phase") == "Running"]
    return max(running, key=lambda each: each["metadata"]["creationTimestamp"], default=None)


def end_pod(space: Namespace, job: str, said: Manifest, exit_code: int = 0) -> None:
    """Let the pod of a Job end, as a kubelet would tell it."""
    pod = eventually(lambda: pod_of(space, job))
    assert pod is not None
    moment = pod["metadata"]["creationTimestamp"]
    ended = {
        "exitCode": exit_code,
        "reason": "Completed" if exit_code == 0 else "Error",
        "message": json.dumps(said),
        "startedAt": moment,
        "finishedAt": moment,
    }
    (container,) = pod["spec"]["containers"]
    status = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": ended},
    }
    phase = "Succeeded" if exit_code == 0 else "Failed"
    path = f"{space.path('pods', pod['metadata']['name'])}/status"
    body = {"status": {"phase": phase, "containerStatuses": [status]}}
    space.client.request("PATCH", path, body, "application/merge-patch+json")


def succeeded(name: str = "20260102T030000Z", **more: Any) -> Manifest:
    """Return what a program says that went well."""
    return {"outcome": "Succeeded", "set": name, "mode": "Full", "bytes": 2048, "sets": 1, **more}
