"""Namespaces with the chart's rights, for the operators that the faults strike."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from cluster.api import ClusterHandle, ensure_up
from cluster.layout import CONTROL_PLANE, build_layout
from cluster.processes import ProcessTable
from faults.lane import Place
from integration.conftest import client, control_plane  # noqa: F401
from integration.flaky_proxy import build_server_context
from integration.kube_client import KubeClient
from integration.operator_process import (
    Operators,
    grant_rights,
    render_rights,
    revoke_cluster_rights,
)
from mutation.children import read_kinds

# The scheduler ends itself, seconds later, when the server died as a pod was bound. And the pauses
# between the watches of all three double with every server that goes, up to a minute.
PATIENT = ("kube-controller-manager", "kube-scheduler", "kwok")

BuildPlaces = Callable[[int], list[Place]]


@pytest.fixture
def build_places(
    control_plane: ClusterHandle,  # noqa: F811
    client: KubeClient,  # noqa: F811
    tmp_path: Path,
) -> Iterator[BuildPlaces]:
    """Build places for lanes."""
    with ExitStack() as stack:
        yield lambda count: [
            _build_place(stack, control_plane, client, tmp_path / str(number))
            for number in range(count)
        ]


@pytest.fixture
def server_context(tmp_path: Path) -> ssl.SSLContext:
    """A certificate for the proxies."""
    return build_server_context(tmp_path)


@pytest.fixture
def restart_server(control_plane: ClusterHandle) -> Callable[[], Awaitable[None]]:  # noqa: F811
    """What kills the API server and starts it again, and the cluster's own clients with it."""
    return partial(asyncio.to_thread, _restart_server, control_plane)


def _restart_server(handle: ClusterHandle) -> None:
    layout = build_layout(CONTROL_PLANE, handle.bin_dir)
    table = ProcessTable(layout.pids, layout.logs)
    for name in ("kube-apiserver", *PATIENT):
        assert table.pid_of(name) is not None, f"{name} does not run"
        table.stop(name, grace_seconds=0)
    ensure_up(CONTROL_PLANE.name)


def _build_place(
    stack: ExitStack,
    control_plane: ClusterHandle,  # noqa: F811
    client: KubeClient,  # noqa: F811
    folder: Path,
) -> Place:
    folder.mkdir()
    namespace = stack.enter_context(client.new_namespace("faults"))
    helm = control_plane.bin_dir / "helm"
    stack.callback(revoke_cluster_rights, namespace)
    grant_rights(namespace, helm)
    roles = [each for each in render_rights(namespace.name, helm) if each["kind"] == "Role"]
    rules = [rule for role in roles for rule in role["rules"]]
    operators = Operators(namespace, folder / "unused.kubeconfig", folder, control_plane.audit_log)
    return Place(namespace, operators, read_kinds(rules), folder)
