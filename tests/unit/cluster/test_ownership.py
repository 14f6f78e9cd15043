"""A start and an end change nothing that is not provably ours."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import kind, networking
from cluster.cleanup import delete_cluster
from cluster.conflicts import find_foreign_node_programs
from cluster.errors import ClusterError
from cluster.layout import CONTROL_PLANE, NODE, Layout, Profile
from cluster.progress import Progress
from cluster.storage_provisioner import is_below

ROOT = Path(__file__).resolve().parents[3]
# A machine of its own: processes, network and folders that only this script sees.
FOREIGN_NODE = """
set -eu
# Should the mend be undone, it must not reach what really runs here.
for folder in /var/lib/kubelet /var/lib/cni /var/log/containers /run/containerd /sys/fs/cgroup; do
  if test -d $folder; then mount -t tmpfs none $folder; fi
done
mkdir -p /var/lib/kubelet/device-plugins && touch /var/lib/kubelet/device-plugins/kubelet.sock
iptables -w -t nat -N KUBE-SERVICES
bash -c 'exec -a kubelet sleep 60' &
sleep 0.3
"$1" -m cluster down --profile node --provider embedded || true
"$1" -c "$2" || true
iptables -w -t nat -S KUBE-SERVICES
ls /var/lib/kubelet/device-plugins
"""
START = """
import io, sys
from pathlib import Path
from cluster.embedded import EmbeddedCluster
from cluster.errors import ClusterError
from cluster.layout import NODE, build_layout
from cluster.progress import Progress
layout = build_layout(NODE, Path("/nonexistent"))
layout.state.mkdir(parents=True)
layout.owner_mark.touch()
try:
    EmbeddedCluster(layout, Progress(1, io.StringIO()), 0).start()
except ClusterError as error:
    print(error)
"""


def layout_of(state: Path) -> Layout:
    return Layout(profile=CONTROL_PLANE, state=state, cache=state, bin=state)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")
def test_a_foreign_node_keeps_its_rules_and_sockets_when_a_start_is_refused(
    tmp_path: Path,
) -> None:
    Path("/var/lib/kubelet").mkdir(exist_ok=True)
    own_machine = ["unshare", "--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]
    done = subprocess.run(
        [*own_machine, "bash", "-c", FOREIGN_NODE, "bash", sys.executable, START],
        env={**os.environ, "TRADING_OPERATOR_STATE": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "another cluster's node runs on this machine: kubelet (pid " in done.stdout
    assert "CLUSTER=current" in done.stdout
    assert "-N KUBE-SERVICES" in done.stdout
    assert "kubelet.sock" in done.stdout


def test_our_own_kubelet_is_not_foreign(tmp_path: Path) -> None:
    script = 'exec -a kubelet "$0" -c "import time; time.sleep(30)" --config="$1/config/kubelet"'
    with subprocess.Popen(["bash", "-c", script, sys.executable, str(tmp_path)]) as own:
        mine = f"kubelet (pid {own.pid})"
        while Path(f"/proc/{own.pid}/cmdline").read_bytes().split(b"\0")[0] != b"kubelet":
            pass
        try:
            assert mine not in find_foreign_node_programs(tmp_path)
            assert mine in find_foreign_node_programs(tmp_path / "other")
        finally:
            own.kill()


def test_beside_a_foreign_node_only_our_own_chain_is_removed() -> None:
    saved = "*nat\n:KUBE-SERVICES - [0:0]\n:TRADING-OPERATOR - [0:0]\nCOMMIT\n"
    removal = networking.build_rule_removal(saved, (networking.OUR_CHAIN,))
    assert "TRADING-OPERATOR" in removal
    assert "KUBE-" not in removal


@pytest.mark.parametrize("profile", [NODE, CONTROL_PLANE])
def test_a_folder_with_somebody_elses_files_is_refused_and_kept(
    tmp_path: Path, profile: Profile
) -> None:
    layout = replace(layout_of(tmp_path / "node"), profile=profile)
    layout.state.mkdir()
    letter = layout.state / "letter.txt"
    letter.write_text("mine", encoding="utf-8")
    with pytest.raises(ClusterError, match="TRADING_OPERATOR_STATE"):
        delete_cluster(layout)
    assert letter.read_text(encoding="utf-8") == "mine"


def test_a_folder_of_ours_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "node")
    (layout.state / "etcd").mkdir(parents=True)
    (layout.state / "link").symlink_to(tmp_path)
    layout.owner_mark.touch()
    delete_cluster(layout)
    assert not layout.state.exists()
    assert tmp_path.exists()
    delete_cluster(layout)


def test_only_folders_below_the_root_of_volumes_are_removed(tmp_path: Path) -> None:
    root = tmp_path / "volumes"
    (root / "pvc-1").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (root / "link").symlink_to(tmp_path / "home")
    assert is_below(root / "pvc-1", root)
    outside = [root, tmp_path / "home", root / ".." / "home", root / "link", Path("/"), Path("")]
    assert not any(is_below(folder, root) for folder in outside)


@pytest.fixture
def machine_with_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of Docker and kind that say what the file `clusters` says and log deletions."""
    programs = tmp_path / "bin"
    programs.mkdir()
    kind_program = (
        f'case "$1" in get) cat {tmp_path}/clusters;; *) echo "$@" >> {tmp_path}/log;; esac'
    )
    for name, body in (("docker", f"test -e {tmp_path}/engine"), ("kind", kind_program)):
        (programs / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    (tmp_path / "clusters").write_text(f"{kind.NAME}\n", encoding="utf-8")
    (tmp_path / "engine").touch()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("TRADING_OPERATOR_STATE", str(tmp_path / "state"))
    return tmp_path


def test_a_persons_own_kind_cluster_is_neither_adopted_nor_deleted(
    machine_with_kind: Path,
) -> None:
    with pytest.raises(ClusterError, match="not made from here"):
        kind.start(Progress(1))
    kind.stop()
    assert not (machine_with_kind / "log").exists()


def test_our_kind_cluster_is_deleted_and_a_silent_docker_is_said(machine_with_kind: Path) -> None:
    kind.kind_state().mkdir(parents=True)
    kind.owner_mark().touch()
    (machine_with_kind / "engine").unlink()
    with pytest.raises(ClusterError, match="does not answer"):
        kind.stop()
    assert kind.owner_mark().exists()
    (machine_with_kind / "engine").touch()
    kind.stop()
    assert (machine_with_kind / "log").read_text(encoding="utf-8").startswith("delete cluster")
    assert not kind.kind_state().exists()


def test_docker_without_the_program_kind_is_no_kind(
    machine_with_kind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kind.is_usable()
    (machine_with_kind / "bin" / "kind").unlink()
    monkeypatch.setenv("PATH", str(machine_with_kind / "bin"))
    assert not kind.is_usable()
