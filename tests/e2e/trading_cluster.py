"""What the e2e tests ask the cluster and do to it."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from demo.kubectl import CommandError, Tools
from demo.steps import OPERATOR_NAMESPACE, create_namespace
from demo.watching import condition
from e2e.audit import AuditLog
from e2e.waiting import eventually

RELEASED = '--patch={"metadata":{"finalizers":null}}'
OPERATOR_USER = f"system:serviceaccount:{OPERATOR_NAMESPACE}:trading-operator"


@dataclass(frozen=True)
class TradingCluster:
    """A cluster with the operator installed."""

    tools: Tools
    audit: AuditLog

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl and return what it printed."""
        return self.tools.run("kubectl", *arguments, stdin=stdin, timeout=timeout)

    def system(self, namespace: str, name: str) -> dict[str, Any]:
        """Read a TradingSystem."""
        return self.tools.get("tradingsystem", name, "-n", namespace)

    def apply(self, namespace: str, *manifests: dict[str, Any]) -> None:
        """Apply manifests into a namespace."""
        listing = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(listing))

    def pods(self, namespace: str, component: str | None = None) -> list[dict[str, Any]]:
        """Read the pods of a namespace, or of one component in it."""
        selector = ["-l", f"app.kubernetes.io/component={component}"] if component else []
        items: list[dict[str, Any]] = self.tools.get("pods", "-n", namespace, *selector)["items"]
        return items

    def pod_identities(self, namespace: str) -> dict[str, tuple[str, int]]:
        """Return uid and restart count by pod name: equal ones mean that nothing restarted."""
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(c["restartCount"] for c in pod["status"].get("containerStatuses", [])),
            )
            for pod in self.pods(namespace)
        }

    def condition(self, namespace: str, name: str, kind: str) -> dict[str, Any]:
        """Read one condition of a system's current spec."""
        return condition(self.system(namespace, name), kind)

    def component(self, namespace: str, name: str, component: str) -> dict[str, Any]:
        """Read the status line of one component, empty when there is none yet."""
        lines = self.system(namespace, name).get("status", {}).get("components", [])
        return next((line for line in lines if line["name"] == component), {})

    def wait_ready(self, namespace: str, name: str, timeout: float = 120) -> None:
        """Wait until a system is Ready at its current spec."""
        eventually(
            lambda: self.condition(namespace, name, "Ready").get("status") == "True",
            f"{name} in {namespace} Ready",
            timeout,
        )

    def wait_proven(self, namespace: str, name: str, timeout: float = 120) -> None:
        """Wait until a system is Ready and its revision is proven good: nothing is to come."""
        self.wait_ready(namespace, name, timeout)
        eventually(
            lambda: self.system(namespace, name)["status"]["rollout"]["phase"] == "Proven",
            f"{name} in {namespace} proven good",
            timeout,
        )

    def sql(self, namespace: str, pod: str, query: str) -> list[list[str]]:
        """Run a query in a PostgreSQL pod and return its rows as text."""
        psql = ("psql", "-U", "trading", "-d", "trading", "-AtF", "|", "-c", query)
        output = self.kubectl("exec", "-n", namespace, pod, "--", *psql)
        return [line.split("|") for line in output.splitlines()]

    def get_http(self, namespace: str, pod: str, port: int, path: str) -> str:
        """Ask a pod over HTTP through the API server."""
        return self.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
        )

    @contextmanager
    def namespace(self, prefix: str) -> Iterator[str]:
        """Make a namespace of the restricted profile and delete it afterwards."""
        name = f"{prefix}-{uuid.uuid4().hex[:6]}"
        create_namespace(self.tools, name)
        try:
            yield name
        finally:
            self.delete_namespace(name)

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace in the background; no system in it waits for an operator."""
        self.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
        # Only now: an operator that runs adds no finalizer in a namespace that is being deleted.
        for system in self.kubectl("get", "tradingsystems", "-n", name, "-o", "name").split():
            with suppress(CommandError):  # it may have gone by itself meanwhile
                self.kubectl("patch", system, "-n", name, "--type=merge", RELEASED)


def is_ready(pod: dict[str, Any]) -> datetime | None:
    """Return since when a pod is Ready, None when it is not."""
    conditions = pod["status"].get("conditions", [])
    ready = next((c for c in conditions if c["type"] == "Ready" and c["status"] == "True"), None)
    return datetime.fromisoformat(ready["lastTransitionTime"]) if ready else None


def was_created(pod: dict[str, Any]) -> datetime:
    """Return when a pod was created."""
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
