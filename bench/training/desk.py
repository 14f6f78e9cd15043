"""The running example, the ModelTrainingJobs beside it, and what they say."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError
from bench.rollback.node import Node
from demo.steps import NAMESPACE, SYSTEM

PATIENCE_SECONDS = 300.0
STRATEGY = f"{SYSTEM}-trading-strategy-0"
_TRAININGS = f"/apis/tradingoperator.io/v1alpha1/namespaces/{NAMESPACE}/modeltrainingjobs"
_JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_MODELS = f"/api/v1/namespaces/{NAMESPACE}/pods/{STRATEGY}:8004/proxy/models"
_FILE = f"{_CONFIG_MAPS}/{SYSTEM}-trading-state"
Object = dict[str, Any]


def build_training(name: str, **spec: Any) -> Object:
    """Build a small training of the example's hourly bars."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "ModelTrainingJob",
        "metadata": {"name": name},
        "spec": {
            "system": SYSTEM,
            "model": {"type": name, "timeframe": "1h"},
            "config": "settings",
            "dataset": {"source": "timescaledb", "symbols": ["EURUSD"], "to": "2017-05-31"},
            "leakageChecks": [],
            "hyperparameters": {"rounds": "20"},
            **spec,
        },
    }


@dataclass(frozen=True)
class Desk:
    """Asks the API server; waits by watching where times are measured."""

    node: Node

    def train(self, training: Object) -> float:
        """Create a ModelTrainingJob; return the seconds until it says Succeeded."""
        client, name = self.node.client, training["metadata"]["name"]
        began = time.monotonic()
        client.post(_TRAININGS, training)
        for _ in self._seen(_TRAININGS, name, lambda each: _phase(each) == "Succeeded"):
            return time.monotonic() - began
        raise BenchError(f"{name} trained nothing: {self.describe(name)}")

    def run_bare(self, name: str, template: Object, files: Object) -> float:
        """Create the same pod as a bare Job; return the seconds until it is Complete."""
        client = self.node.client
        metadata = {"name": name, "namespace": NAMESPACE}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files}
        client.post(_CONFIG_MAPS, config)
        spec = json.loads(json.dumps(template))
        for volume in spec["spec"]["volumes"]:
            if volume["name"] == "job":
                volume["configMap"]["name"] = name
        # A pod with our labels would be an operand's; the policy lets in who says it is a Job.
        part = {"app.kubernetes.io/part-of": SYSTEM, "tradingoperator.io/role": "job"}
        spec["metadata"] = {"labels": part}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata,
            "spec": {"backoffLimit": 0, "template": spec},
        }
        began = time.monotonic()
        client.post(_JOBS, job)
        for _ in self._seen(_JOBS, name, _is_complete):
            return time.monotonic() - began
        raise BenchError(f"the bare Job {name} did not complete")

    def template_of(self, name: str) -> tuple[Object, Object]:
        """Return the pod template of a training's first Job, and its job file, while it runs."""
        job = self.node.client.get(f"{_JOBS}/{name}-1-1")
        template = job["spec"]["template"]
        volumes = {each["name"]: each for each in template["spec"]["volumes"]}
        config = volumes["job"]["configMap"]["name"]
        return template, self.node.client.get(f"{_CONFIG_MAPS}/{config}")["data"]

    def create(self, training: Object) -> None:
        """Create a ModelTrainingJob and go on."""
        self.node.client.post(_TRAININGS, training)

    def change(self, name: str, **spec: Any) -> None:
        """Change a ModelTrainingJob."""
        self.node.client.merge(f"{_TRAININGS}/{name}", {"spec": spec})

    def delete(self, name: str) -> None:
        """Delete a ModelTrainingJob."""
        self.node.client.delete(f"{_TRAININGS}/{name}")

    def status(self, name: str) -> Object:
        """Return its status."""
        found: Object = self.node.client.get(f"{_TRAININGS}/{name}").get("status", {})
        return found

    def describe(self, name: str) -> str:
        """Return its conditions, for a failure."""
        return json.dumps(self.status(name).get("conditions"))

    def reports(self) -> list[Object]:
        """Return what the strategy says of its models."""
        found: list[Object] = self.node.client.get(_MODELS)["models"]
        return found

    def told(self) -> dict[str, str]:
        """Return which version services are told to trade with, by type."""
        text = self.node.client.get(_FILE)["data"].get("trading-strategy.models.json", "{}")
        return {each["type"]: each["id"] for each in json.loads(text).get("models", ())}

    def logs(self, job: str) -> str:
        """Return what the pod of a Job printed."""
        return self.node.tools.run("kubectl", "logs", "-n", NAMESPACE, f"job/{job}")

    def _seen(self, path: str, name: str, wanted: Callable[[Object], bool]) -> Iterator[Object]:
        for event in self.node.client.watch(path, int(PATIENCE_SECONDS)):
            each = event["object"]
            if each.get("metadata", {}).get("name") == name and wanted(each):
                yield each


def wait_until(look: Callable[[], Any], what: str, pause: float = 0.1) -> Any:
    """Return the first truthy answer; raises BenchError when there is none in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise BenchError(f"not within {PATIENCE_SECONDS:.0f} s: {what}")
        time.sleep(pause)
    return found


def _phase(training: Object) -> str:
    return str((training.get("status") or {}).get("phase", ""))


def _is_complete(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Complete" and each["status"] == "True" for each in conditions)
