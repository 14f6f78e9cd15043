"""Nodes that kwok pretends to run: pods on them become Ready without containers."""

from pathlib import Path

from cluster.kubernetes_api import ApiClient, ApiError, Object
from cluster.layout import Layout
from cluster.processes import Component

NOT_FOUND = 404
CONFLICT = 409
STAGES = Path(__file__).parent / "config" / "kwok.yaml"


def build_kwok(layout: Layout) -> Component:
    """Build kwok for the nodes that carry its label."""
    command = (
        layout.program("kwok"),
        f"--kubeconfig={layout.component_kubeconfig('kwok')}",
        f"--config={STAGES}",
        "--manage-nodes-with-label-selector=type=kwok",
        "--cidr=10.245.0.0/16",
        "--node-ip=192.0.2.10",
        # Renewed every ten seconds, well within the controller manager's patience of fifty.
        "--node-lease-duration-seconds=40",
        "--v=WARN",
    )
    return Component("kwok", command)


def build_fake_node(number: int) -> Object:
    """Build one large fake node."""
    name = f"kwok-node-{number}"
    room = {"cpu": "64", "memory": "256Gi", "pods": "10000", "ephemeral-storage": "1Ti"}
    labels = {
        "type": "kwok",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"zone-{number % 3}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": room, "capacity": room},
    }


def apply_fake_nodes(client: ApiClient, count: int) -> None:
    """Create the fake nodes that are not there yet."""
    for number in range(count):
        try:
            client.post("/api/v1/nodes", build_fake_node(number))
        except ApiError as error:
            if error.status != CONFLICT:
                raise


def delete_leases(client: ApiClient, count: int) -> None:
    """Free the nodes of a kwok that ended: a new one would wait for its Leases to run out."""
    for number in range(count):
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/kwok-node-{number}"
        try:
            client.delete(path)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
