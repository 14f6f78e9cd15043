"""One control plane for the tier; a namespace and operator processes for each test."""

import fcntl
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from cluster.api import ClusterHandle, ensure_up
from integration.documented import Documented
from integration.kube_client import KubeClient, Namespace, eventually
from integration.operator_process import (
    Operators,
    grant_rights,
    revoke_cluster_rights,
    write_kubeconfig,
)
from integration.trainings import build_gpu_node

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="session")
def control_plane() -> ClusterHandle:
    """A real API server, controller-manager and scheduler, with fake nodes."""
    return ensure_up("control-plane")


@pytest.fixture(scope="session")
def client(control_plane: ClusterHandle) -> Iterator[KubeClient]:
    """A client with the administrator's rights; our CRDs are served."""
    made = KubeClient(control_plane.kubeconfig)
    path = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for file in sorted(CRDS.glob("*.yaml")):
        definition = yaml.safe_load(file.read_text())
        made.apply(path, definition)
        name = definition["metadata"]["name"]
        eventually(partial(_is_served, made, f"{path}/{name}"))
    yield made
    made.close()


@pytest.fixture
def one_release_at_a_time(control_plane: ClusterHandle) -> Iterator[None]:
    """Keep the other worker's releases away: one for every namespace refuses all others."""
    with (control_plane.state_dir / "releases.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def namespace(client: KubeClient) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    with client.new_namespace("it") as made:
        yield made


@pytest.fixture
def operators(
    control_plane: ClusterHandle, namespace: Namespace, tmp_path: Path
) -> Iterator[Operators]:
    """Operator processes that serve the test's namespace alone, with the chart's rights."""
    grant_rights(namespace, control_plane.bin_dir / "helm")
    kubeconfig = write_kubeconfig(namespace, tmp_path / "operator.kubeconfig")
    made = Operators(namespace, kubeconfig, tmp_path, control_plane.audit_log)
    yield made
    made.describe(sys.stderr)  # pytest shows it with a failure
    made.stop_all()
    revoke_cluster_rights(namespace)


@pytest.fixture
def documented(control_plane: ClusterHandle) -> Documented:
    """Commands of the documentation, with the administrator's rights."""
    return Documented(control_plane.bin_dir / "kubectl", control_plane.kubeconfig)


def _is_served(client: KubeClient, path: str) -> bool:
    # A definition that was made this moment has no conditions yet, and says so with null.
    conditions = client.request("GET", path).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


@pytest.fixture
def gpu_node(client: KubeClient) -> Iterator[tuple[str, str]]:
    """A fake node with one device of a kind that no other test has."""
    name = f"gpu-{uuid.uuid4().hex[:8]}"
    resource = f"example.com/{name}"
    client.request("POST", "api/v1/nodes", build_gpu_node(name, resource))
    yield name, resource
    client.request("DELETE", f"api/v1/nodes/{name}")
