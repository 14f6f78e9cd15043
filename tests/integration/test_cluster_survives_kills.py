"""The embedded control plane itself: killed half-way, repaired, ended without a trace."""

import dataclasses
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import tools
from cluster.cleanup import delete_cluster
from cluster.embedded import EmbeddedCluster
from cluster.errors import ClusterError
from cluster.kubernetes_api import ApiClient
from cluster.layout import CONTROL_PLANE, Layout
from cluster.processes import find_own_processes
from cluster.progress import Progress
from integration.kube_client import eventually

# Its own port and folder: the tier's shared control plane runs beside it.
PROFILE = dataclasses.replace(CONTROL_PLANE, name="lifecycle", api_port=27543)
MARK = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "mark", "namespace": "default"},
}
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "first"},
    "spec": {"containers": [{"name": "main", "image": "registry.example/first:1"}]},
}


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout(
        profile=PROFILE, state=tmp_path / "state", cache=tmp_path, bin=tools.find_tools()
    )
    yield layout
    delete_cluster(layout)


def build_cluster(layout: Layout) -> EmbeddedCluster:
    return EmbeddedCluster(layout, Progress(1, io.StringIO()), fake_node_count=1)


def kill(cluster: EmbeddedCluster, names: set[str]) -> None:
    for name, pid in cluster.read_state().items():
        if name in names and pid is not None:
            os.kill(pid, signal.SIGKILL)


def wait_for_scheduler(client: ApiClient) -> None:
    """Wait until the scheduler works: while it starts, it ends by itself without an API server."""
    client.post(PODS, POD)
    eventually(lambda: client.get(f"{PODS}/first")["spec"].get("nodeName"), 30)


def test_a_killed_half_is_repaired_and_keeps_its_objects(layout: Layout) -> None:
    cluster = build_cluster(layout)
    cluster.start()
    client = ApiClient(layout.kubeconfig)
    client.post(CONFIG_MAPS, MARK)
    wait_for_scheduler(client)
    survivor = cluster.read_state()["kube-scheduler"]
    kill(cluster, {"etcd", "kube-apiserver", "kwok"})
    assert not cluster.is_healthy()
    build_cluster(layout).start()
    assert cluster.is_healthy()
    assert cluster.read_state()["kube-scheduler"] == survivor
    assert ApiClient(layout.kubeconfig).get(f"{CONFIG_MAPS}/mark")["kind"] == "ConfigMap"


def test_an_end_finds_processes_whose_records_are_lost(layout: Layout) -> None:
    cluster = build_cluster(layout)
    cluster.start()
    for record in layout.pids.iterdir():
        record.unlink()
    assert len(find_own_processes(layout.state)) == len(cluster.read_state())
    delete_cluster(layout)
    assert find_own_processes(layout.state) == []
    assert not layout.state.exists()
    delete_cluster(layout)


def test_a_failing_part_is_named_with_its_last_words_and_its_log(layout: Layout) -> None:
    broken = dataclasses.replace(layout, bin=layout.cache / "bin")
    broken.bin.mkdir()
    for program in layout.bin.iterdir():
        (broken.bin / program.name).symlink_to(program)
    scheduler = broken.bin / "kube-scheduler"
    scheduler.unlink()
    scheduler.write_text("#!/bin/sh\necho cannot schedule today\nexit 3\n", encoding="utf-8")
    scheduler.chmod(0o755)
    with pytest.raises(ClusterError) as failure:
        build_cluster(broken).start()
    assert "kube-scheduler ended" in str(failure.value)
    assert "cannot schedule today" in str(failure.value)
    assert str(broken.logs / "kube-scheduler.log") in str(failure.value)
