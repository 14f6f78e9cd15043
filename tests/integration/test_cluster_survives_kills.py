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
from cluster.processes import find_own_processes, read_start_time
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
STORE = frozenset({"etcd", "kube-apiserver"})
# The store's clients may end by themselves while it is away; it never ends for want of them.
CLIENTS = frozenset({"kube-controller-manager", "kube-scheduler", "kwok"})


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout(
        profile=PROFILE, state=tmp_path / "state", cache=tmp_path, bin=tools.find_tools()
    )
    yield layout
    delete_cluster(layout)


def build_cluster(layout: Layout) -> EmbeddedCluster:
    return EmbeddedCluster(layout, Progress(1, io.StringIO()), fake_node_count=1)


def kill(cluster: EmbeddedCluster, names: frozenset[str]) -> None:
    pids = [pid for name, pid in cluster.read_state().items() if name in names and pid is not None]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    # A large process is on its way out for a while, and looks alive until then.
    eventually(lambda: not any(map(read_start_time, pids)), 10)


@pytest.mark.parametrize("killed", [STORE | {"kwok"}, CLIENTS], ids=["store", "clients"])
def test_a_killed_half_is_repaired_and_keeps_its_objects(
    layout: Layout, killed: frozenset[str]
) -> None:
    cluster = build_cluster(layout)
    cluster.start()
    ApiClient(layout.kubeconfig).post(CONFIG_MAPS, MARK)
    before = cluster.read_state()
    kill(cluster, killed)
    assert not cluster.is_healthy()
    build_cluster(layout).start()
    assert cluster.is_healthy()
    after = cluster.read_state()
    survivors = STORE - killed
    assert all(after[name] == before[name] for name in survivors)
    assert all(after[name] != before[name] for name in killed)
    assert ApiClient(layout.kubeconfig).get(f"{CONFIG_MAPS}/mark")["kind"] == "ConfigMap"


def test_an_end_finds_processes_whose_records_are_lost(layout: Layout) -> None:
    cluster = build_cluster(layout)
    cluster.start()
    for record in layout.pids.iterdir():
        record.unlink()
    # The last one that was started may still be on its way from a shell to its program.
    eventually(lambda: len(find_own_processes(layout.state)) == len(cluster.read_state()), 10)
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
