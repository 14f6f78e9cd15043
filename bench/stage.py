"""What is there before a subject starts: CRD, namespaces, rights, systems."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from bench.control_plane import SUBJECTS, ControlPlane
from bench.parameters import Parameters
from bench.workload import System, build_system, systems_path
from cluster.commands import run
from cluster.kubernetes_api import Object

ROOT = Path(__file__).parents[1]
OPERATOR, PEER = "trading-operator", "peer"
_RIGHTS = frozenset({"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
_AT_ONCE = 8


def set_stage(plane: ControlPlane, parameters: Parameters) -> None:
    """Start an empty control plane and apply what every subject needs."""
    plane.start()
    kubectl = [plane.layout.program("kubectl"), f"--kubeconfig={plane.layout.kubeconfig}"]
    kubectl.append(f"--cache-dir={plane.layout.state}/kubectl-cache")
    for objects in (list(_namespaces(parameters)), [*_rights(plane), *_definitions()]):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        run([*kubectl, "apply", "--server-side", "-f", "-"], stdin=text)
    names = [definition["metadata"]["name"] for definition in _definitions()]
    crds = [f"crd/{name}" for name in names]
    run([*kubectl, "wait", "--for=condition=Established", "--timeout=60s", *crds])


def create_systems(plane: ControlPlane, parameters: Parameters, count: int) -> list[System]:
    """Create so many systems, which nobody serves yet."""
    names = [(f"system-{index:05d}", parameters.namespace(index)) for index in range(count)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda pair: create_system(plane, *pair), names))


def create_system(plane: ControlPlane, name: str, namespace: str) -> System:
    """Create one system."""
    made = plane.client.post(systems_path(namespace), build_system(name, namespace))
    return System(name, namespace, made["metadata"]["uid"])


def _namespaces(parameters: Parameters) -> Iterator[Object]:
    names = [SUBJECTS, *(f"bench-{index}" for index in range(parameters.namespaces))]
    for name in names:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _definitions() -> list[Any]:
    return [yaml.safe_load(file.read_text()) for file in sorted((ROOT / "crds").glob("*.yaml"))]


def _rights(plane: ControlPlane) -> Iterator[Object]:
    """Yield the operator's rights from its chart, and all rights for its peers.

    No subject is of system:masters, which the API server's fair queueing lets pass.
    """
    chart = str(ROOT / "helm" / "trading-operator")
    helm = plane.layout.program("helm")
    text = run([helm, "template", OPERATOR, chart, f"--namespace={SUBJECTS}"])
    for manifest in yaml.safe_load_all(text):
        if manifest and manifest["kind"] in _RIGHTS:
            yield manifest
    metadata = {"name": PEER, "namespace": SUBJECTS}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": PEER},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{"kind": "ServiceAccount", **metadata}],
    }


def user_of(account: str) -> str:
    """Return the name under which the API server knows a service account of the bench."""
    return f"system:serviceaccount:{SUBJECTS}:{account}"
