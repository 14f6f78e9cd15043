"""ModelTrainingJobs for tests; the test itself ends their pods, as their programs would."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from integration.backup_life import is_missing
from integration.backups import pod_of
from integration.kube_client import Namespace, eventually
from integration.systems import build_datastore, build_service, build_system

# kwok lets a pod of this tag run for ever.
RUNS_ON = "registry.example/model-training:pretend-unready"
OPERATOR = {"IMAGE_TRAINING": RUNS_ON}
LINE = {"type": "lightgbm-direction", "timeframe": "1d"}
Manifest = dict[str, Any]


def build_training(name: str = "daily", system: str = "desk", **spec: Any) -> Manifest:
    """Build a ModelTrainingJob of the small system."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "ModelTrainingJob",
        "metadata": {"name": name},
        "spec": {
            "system": system,
            "model": LINE,
            "dataset": {"source": "db", "symbols": ["AAPL"]},
            **spec,
        },
    }


def start_system(space: Namespace, port: int = 8000, **spec: Any) -> None:
    """Start a small system that trades with models, and wait until it is Ready."""
    volumes = [{"name": "models", "size": "1Gi"}]
    mounts = [{"name": "models", "mountPath": "/app/models"}]
    ports = [{"name": "http", "port": port}]
    services = [build_service("strategy", "db", volumes=mounts, ports=ports)]
    stores = [build_datastore("db", "TimescaleDB")]
    system = build_system("desk", services, stores, volumes=volumes, **spec)
    space.create("tradingsystems", system)
    eventually(lambda: space.is_ready("desk"))


def status(space: Namespace, name: str = "daily") -> Manifest:
    """Return the status of a ModelTrainingJob."""
    found: Manifest = (space.get("modeltrainingjobs", name) or {}).get("status", {})
    return found


def phase(space: Namespace, name: str = "daily") -> str:
    """Return its phase."""
    return str(status(space, name).get("phase", ""))


def condition(space: Namespace, kind: str, name: str = "daily") -> tuple[str, str, str]:
    """Return the status, the reason and the message of a condition."""
    found = space.condition_of("modeltrainingjobs", name, kind)
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def edit(space: Namespace, name: str = "daily", **spec: Any) -> None:
    """Change fields of the spec."""
    space.merge("modeltrainingjobs", name, {"spec": spec})


def command(space: Namespace, word: str, value: str | None, name: str = "daily") -> None:
    """Ask for something once."""
    annotations = {f"tradingoperator.io/{word}": value}
    space.merge("modeltrainingjobs", name, {"metadata": {"annotations": annotations}})


def end_training(
    space: Namespace, job: str, said: Manifest | str, exit_code: int = 0, ran: int = 1
) -> None:
    """Let the pod of a Job end after so many seconds, as a kubelet would tell it."""
    pod = eventually(lambda: pod_of(space, job))
    assert pod is not None
    finished = datetime.now(UTC)
    ended = {
        "exitCode": exit_code,
        "reason": "Completed" if exit_code == 0 else "Error",
        "message": said if isinstance(said, str) else json.dumps(said),
        "startedAt": f"{finished - timedelta(seconds=ran):%Y-%m-%dT%H:%M:%SZ}",
        "finishedAt": f"{finished:%Y-%m-%dT%H:%M:%SZ}",
    }
    state = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    body = {
        "status": {
            "phase": "Succeeded" if exit_code == 0 else "Failed",
            "containerStatuses": [{**state, "state": {"terminated": ended}}],
        }
    }
    path = f"{space.path('pods', pod['metadata']['name'])}/status"
    space.client.request("PATCH", path, body, "application/merge-patch+json")


def trained(version: str = "v1", **more: Any) -> Manifest:
    """Return what a program says that trained a version."""
    digest = version.encode().hex().ljust(64, "0")
    return {
        "outcome": "Succeeded",
        "version": {
            "id": version,
            "digest": digest,
            "file": f"{digest}.lgbm.txt",
            "format": "lightgbm",
            "trainedUntil": "2017-12-29T21:00:00Z",
            "dataDigest": "d" * 64,
            "codeDigest": "c" * 64,
            "featureSchemaHash": "f" * 64,
            "bars": 2000,
        },
        "metrics": {"oosSharpe": "0.7", "oosAuc": "0.54"},
        "folds": [{"number": 1, "metrics": {"oosSharpe": "0.7"}}],
        "leakage": [
            {"check": "LabelShuffle", "passed": True, "value": "0.01", "bound": "0.05"},
            {"check": "FutureShift", "passed": True, "value": "0.0", "bound": "0.1"},
        ],
        "attempts": [{"number": 1, "resumedFromStep": 0, "lostSteps": 0}],
        **more,
    }


def selected(space: Namespace) -> list[Manifest]:
    """Return the models that the strategy reads of."""
    file = space.get("configmaps", "desk-trading-state") or {}
    text = (file.get("data") or {}).get("strategy.models.json")
    return [] if text is None else list(json.loads(text)["models"])


def build_gpu_node(name: str, resource: str, count: int = 1) -> Manifest:
    """Build a fake node with devices; only what tolerates its taint may run there."""
    room = {"cpu": "8", "memory": "32Gi", "pods": "100", resource: str(count)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"type": "kwok", "kubernetes.io/hostname": name},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [{"key": "gpu", "value": name, "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    }


def train(space: Namespace) -> None:
    """Let a ModelTrainingJob live: its Job is deleted by somebody, then paused, then it goes."""
    start_system(space)
    space.create("modeltrainingjobs", build_training())
    eventually(lambda: pod_of(space, "daily-1-1"))
    eventually(lambda: phase(space) == "Training")
    space.delete("jobs", "daily-1-1")
    eventually(lambda: pod_of(space, "daily-1-2"))
    edit(space, suspend=True)
    eventually(lambda: not [each for each in space.names("jobs") if each.startswith("daily-")])
    for kind, name in (("modeltrainingjobs", "daily"), ("tradingsystems", "desk")):
        space.delete(kind, name)
        eventually(partial(is_missing, space, kind, name))
