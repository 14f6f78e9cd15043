"""The real node with the operator as its chart installs it, and where everything is on it."""

import json
from dataclasses import dataclass
from pathlib import Path

from bench.audit import AuditReader
from bench.rollback.objects import Object
from bench.rollback.watching import NamespaceWatch
from cluster.api import ensure_up
from cluster.kubernetes_api import ApiClient
from cluster.layout import NODE_NAME
from demo.kubectl import Tools
from demo.steps import OPERATOR_NAMESPACE, install_operator, prepare_cluster

EMBEDDED = "embedded"  # the audit log must be at hand
KUBELET = f"system:node:{NODE_NAME}"
OPERATOR = f"system:serviceaccount:{OPERATOR_NAMESPACE}:trading-operator"


@dataclass(frozen=True)
class Node:
    """How to reach the cluster."""

    tools: Tools
    client: ApiClient
    audit_log: Path
    folder: Path  # of this run's files

    def audit(self, user: str) -> AuditReader:
        """Return a reader of what a user asks for from now on."""
        return AuditReader(self.audit_log, user, [], self.audit_log.stat().st_size)

    def apply(self, namespace: str, manifest: Object) -> None:
        """Apply as a person does."""
        command = ("kubectl", "apply", "-n", namespace, "-f", "-")
        self.tools.run(*command, stdin=json.dumps(manifest))

    def find_address(self, namespace: str, service: str) -> tuple[str, int]:
        """Return the cluster address and the port of a Service."""
        spec = self.client.get(f"/api/v1/namespaces/{namespace}/services/{service}")["spec"]
        return str(spec["clusterIP"]), int(spec["ports"][0]["port"])


@dataclass(frozen=True)
class Place:
    """A namespace of one subject."""

    node: Node
    namespace: str
    watch: NamespaceWatch


def prepare_node(folder: Path) -> Node:
    """Bring up the cluster, the images and the operator."""
    tools, layouts = prepare_cluster(EMBEDDED)
    install_operator(tools, layouts)
    handle = ensure_up("node", EMBEDDED)
    return Node(tools, ApiClient(handle.kubeconfig), handle.audit_log, folder)


def make_place(node: Node, namespace: str) -> Place:
    """Make a namespace anew, as one that admits pods of the restricted profile alone."""
    node.tools.run("kubectl", "delete", "namespace", namespace, "--ignore-not-found")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": namespace, "labels": labels}
    node.client.post(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    )
    return Place(node, namespace, NamespaceWatch(node.client, namespace))
