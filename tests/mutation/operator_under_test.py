"""One operator that serves the namespaces of a run, with the chart's rights."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.api import ClusterHandle
from integration.kube_client import KubeClient, Namespace
from integration.operator_process import (
    ACCOUNT,
    CHART,
    OperatorProcess,
    Operators,
    revoke_cluster_rights,
    write_kubeconfig,
)
from mutation.bases import build_surroundings
from mutation.children import Kind, read_kinds

NAMESPACES = 6
_RBAC = "apis/rbac.authorization.k8s.io/v1"
_PATHS = {
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "Role": (_RBAC, "roles"),
    "RoleBinding": (_RBAC, "rolebindings"),
    "ClusterRole": (_RBAC, "clusterroles"),
    "ClusterRoleBinding": (_RBAC, "clusterrolebindings"),
}


@dataclass(frozen=True)
class OperatorUnderTest:
    """Where the operator runs and what may be asked about it."""

    process: OperatorProcess
    namespaces: tuple[str, ...]
    kinds: tuple[Kind, ...]  # what it may create
    user: str
    admin_kubeconfig: Path
    audit_log: Path

    @property
    def log(self) -> Path:
        """Return its log."""
        return self.process.log


@contextmanager
def running_operator(
    control_plane: ClusterHandle,
    client: KubeClient,
    folder: Path,
    source: Path | None = None,
    namespaces: int = NAMESPACES,
) -> Iterator[OperatorUnderTest]:
    """Start an operator, from other sources if they are given, over namespaces of its own."""
    with ExitStack() as stack:
        made = [stack.enter_context(client.new_namespace("mutation")) for _ in range(namespaces)]
        stack.callback(revoke_cluster_rights, made[0])
        for namespace in made:
            for plural, manifest in build_surroundings():
                namespace.create(plural, manifest)
        names = tuple(namespace.name for namespace in made)
        rights = _render_rights(control_plane.bin_dir / "helm", names)
        _apply(client, made[0], rights)
        kubeconfig = write_kubeconfig(made[0], folder / "operator.kubeconfig")
        operators = Operators(made[0], kubeconfig, folder, control_plane.audit_log)
        if source is not None:
            operators.source = source
        stack.callback(operators.stop_all)
        process = operators.start_leading(WATCH_NAMESPACES=",".join(names))
        roles = [each for each in rights if _is_role_of(each, names[-1])]
        rules = [rule for role in roles for rule in role["rules"]]
        yield OperatorUnderTest(
            process,
            names,
            read_kinds(rules),
            operators.user,
            control_plane.kubeconfig,
            control_plane.audit_log,
        )


def _render_rights(helm: Path, namespaces: tuple[str, ...]) -> list[dict[str, Any]]:
    rendered = subprocess.run(
        [
            str(helm),
            "template",
            ACCOUNT,
            str(CHART),
            f"--namespace={namespaces[0]}",
            "--set=rbac.scope=namespaced",
            f"--set=watchNamespaces={{{','.join(namespaces)}}}",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    manifests = [each for each in yaml.safe_load_all(rendered.stdout) if each]
    return [each for each in manifests if each["kind"] in _PATHS and not _is_hook(each)]


def _is_hook(manifest: dict[str, Any]) -> bool:
    return "helm.sh/hook" in (manifest["metadata"].get("annotations") or {})


def _apply(client: KubeClient, home: Namespace, manifests: list[dict[str, Any]]) -> None:
    for manifest in manifests:
        root, plural = _PATHS[manifest["kind"]]
        namespace = manifest["metadata"].get("namespace", home.name)
        scoped = "" if manifest["kind"].startswith("Cluster") else f"namespaces/{namespace}/"
        client.apply(f"{root}/{scoped}{plural}", manifest)


def _is_role_of(manifest: dict[str, Any], namespace: str) -> bool:
    return bool(manifest["kind"] == "Role" and manifest["metadata"].get("namespace") == namespace)
