"""Leaving nothing behind: processes, containers, mounts, cgroups, bridge, rules, folders."""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from cluster import networking
from cluster.commands import run, succeeds
from cluster.conflicts import find_foreign_node_programs
from cluster.errors import ClusterError
from cluster.image_loading import ctr
from cluster.layout import CNI_NETWORK, Layout
from cluster.node import find_cgroup_roots
from cluster.processes import ProcessTable, end_processes, find_own_processes, read_command_line

SHIM = "containerd-shim-runc-v2"
SHIM_ADDRESSES = "containerd/io.containerd.runtime.v2.task/*/*/address"
CNI_RESULTS = Path("/var/lib/cni/results")
# Fixed in the kubelet, whatever its root folder is.
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
CONTAINER_LOG_LINKS = Path("/var/log/containers")
SHIM_SOCKETS = Path("/run/containerd/s")
# Others may have files there; removed only when empty, the inner ones first.
SHARED_FOLDERS = tuple(
    folder
    for inner in (CNI_RESULTS, DEVICE_PLUGINS, SHIM_SOCKETS)
    for folder in (inner, inner.parent)
)
# First what would start containers again.
STOPPED_FIRST = ("kubelet", "kube-controller-manager", "kube-scheduler", "kwok")


def delete_cluster(layout: Layout) -> None:
    """End a cluster and remove all its traces; safe when nothing runs, or half of it.

    Without the mark of a start of ours nothing is touched: a foreign folder is refused.
    """
    if not check_ownership(layout):
        return
    # First, so that a start after a half-way end begins from nothing instead of repairing.
    layout.complete_marker.unlink(missing_ok=True)
    table = ProcessTable(layout.pids, layout.logs)
    for name in STOPPED_FIRST:
        table.stop(name, grace_seconds=0)
    if layout.profile.has_node:
        delete_containers(layout, table)
    for name in list(table.names()):
        table.stop(name, grace_seconds=2 if name == "containerd" else 0)
    end_processes(find_own_processes(layout.state), grace_seconds=0)
    if layout.profile.has_node:
        delete_node_traces(layout)
    delete_state(layout)


def check_ownership(layout: Layout) -> bool:
    """Tell whether a start of ours made the state folder; raise when somebody else did."""
    if layout.owner_mark.exists():
        return True
    if layout.state.exists() and any(layout.state.iterdir()):
        raise ClusterError(
            f"{layout.state} holds files that are not a cluster's ({layout.owner_mark.name} is "
            "missing): set TRADING_OPERATOR_STATE to another folder, or move them away"
        )
    return False


def delete_containers(layout: Layout, table: ProcessTable) -> None:
    """End all containers, then their shims, which outlive containerd, then forget them."""
    # Read first: containerd forgets where a shim's socket was when the shim ends.
    files = layout.state.glob(SHIM_ADDRESSES)
    sockets = [Path(file.read_text().strip().removeprefix("unix://")) for file in files]
    for folder in find_cgroup_roots():
        end_processes(read_cgroup_processes(folder), grace_seconds=0)
    shims = [pid for pid in find_own_processes(layout.state) if _is_shim(pid)]
    end_processes(shims, grace_seconds=0)
    for socket in sockets:
        socket.unlink(missing_ok=True)
    if table.pid_of("containerd"):
        with suppress(ClusterError):  # The next start forgets them otherwise.
            forget_containers(layout)


def _is_shim(pid: int) -> bool:
    return Path((read_command_line(pid) or [""])[0]).name == SHIM


def forget_containers(layout: Layout, seconds: float = 5.0) -> int:
    """Remove containerd's records of ended containers and their writable layers; how many."""
    deadline = time.monotonic() + seconds
    while run(ctr(layout, "tasks", "ls", "-q")).strip() and time.monotonic() < deadline:
        time.sleep(0.1)
    containers = run(ctr(layout, "containers", "ls", "-q")).split()
    if containers:
        run(ctr(layout, "containers", "rm", *containers))
    return len(containers)


def read_cgroup_processes(folder: Path) -> list[int]:
    """Return the pids in a cgroup and all below it."""
    pids: set[int] = set()
    for place, _, files in os.walk(folder):
        if "cgroup.procs" in files:
            with suppress(OSError):
                pids.update(map(int, Path(place, "cgroup.procs").read_text().split()))
    return sorted(pids)


def delete_node_traces(layout: Layout) -> None:
    """Remove what a node leaves outside its state folder; mounts too."""
    unmount_below(layout.state)
    networking.delete_bridge()
    # Another cluster's node that was started since has chains and sockets of the same names.
    alone = not find_foreign_node_programs(layout.state)
    networking.delete_rules(networking.CHAIN_PREFIXES if alone else (networking.OUR_CHAIN,))
    networking.restore_settings(layout.state / "kernel-settings.json")
    for folder in find_cgroup_roots():
        delete_cgroup(folder)
    for link in CONTAINER_LOG_LINKS.glob("*.log"):
        if link.is_symlink() and os.readlink(link).startswith(f"{layout.state}/"):
            link.unlink()
    delete_network_results(CNI_RESULTS)
    if alone:
        for name in ("kubelet.sock", "kubelet_internal_checkpoint"):
            (DEVICE_PLUGINS / name).unlink(missing_ok=True)
    for folder in SHARED_FOLDERS:
        with suppress(OSError):  # Not ours alone, or not there.
            folder.rmdir()


def delete_network_results(folder: Path) -> None:
    """Remove what the network plugins remember of our pods, loopback interfaces included."""
    for result in folder.glob(f"{CNI_NETWORK}-*"):
        pod = result.name.removeprefix(f"{CNI_NETWORK}-").split("-")[0]
        for file in folder.glob(f"*-{pod}-*"):
            file.unlink(missing_ok=True)


def delete_cgroup(folder: Path) -> None:
    """Remove a cgroup tree; a process that just ended keeps its cgroup busy for a moment."""
    for _ in range(50):
        for place, _, _ in os.walk(folder, topdown=False):
            with suppress(OSError):
                os.rmdir(place)
        if not folder.exists():
            return
        end_processes(read_cgroup_processes(folder), grace_seconds=0)
        time.sleep(0.1)
    raise ClusterError(f"cgroup {folder} stays busy: look at {folder}/cgroup.procs and try again")


def parse_mounts(mountinfo: str, folder: Path) -> list[str]:
    """Return the mount points at and below a folder, deepest mounted last first."""
    points = [line.split()[4] for line in mountinfo.splitlines()]
    plain = [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point) for point in points]
    return [
        point for point in reversed(plain) if point == str(folder) or point.startswith(f"{folder}/")
    ]


def read_mounts(folder: Path) -> list[str]:
    """Return the present mount points at and below a folder."""
    return parse_mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8"), folder)


def unmount_below(folder: Path) -> None:
    """Unmount all below a folder; one in use is detached and goes with its last user."""
    for point in read_mounts(folder):
        if not succeeds(["umount", point]):
            run(["umount", "--lazy", point])


def delete_state(layout: Layout) -> None:
    """Remove a state folder, the mark last, but never through a mount into somebody's files."""
    mounts = read_mounts(layout.state)
    if mounts:
        raise ClusterError(f"{mounts[0]} is still mounted: run `umount {mounts[0]}` and try again")
    for entry in list(layout.state.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != layout.owner_mark:
            entry.unlink()
    layout.owner_mark.unlink()
    layout.state.rmdir()
