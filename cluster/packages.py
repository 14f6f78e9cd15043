"""What the machine itself must bring: Debian packages, root, disk space."""

import importlib.util
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster.commands import build_search_path, run
from cluster.errors import ClusterError

GIB = 1 << 30
# Every program that the cluster or the image builder starts, and the package it comes from.
PROGRAM_PACKAGES: Mapping[str, str] = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "ip": "iproute2",
    "openssl": "openssl",
    "umount": "mount",
    "debootstrap": "debootstrap",
    "buildah": "buildah",
    "skopeo": "skopeo",
    "ensurepip": "python3-venv",
}
# Of those, what is no program but a module of Python: `python3 -m venv` needs it.
MODULES = frozenset({"ensurepip"})


CONTROL_PLANE_PROGRAMS = ("openssl",)


def plan_packages(programs: Iterable[str]) -> list[str]:
    """Return the packages of missing programs, each once, sorted."""
    return sorted({PROGRAM_PACKAGES[program] for program in programs})


def read_missing_programs(programs: Iterable[str]) -> list[str]:
    """Return those programs (and modules of Python) that this machine lacks."""
    path = build_search_path()
    return [
        name
        for name in programs
        if (importlib.util.find_spec(name) if name in MODULES else shutil.which(name, path=path))
        is None
    ]


def install_packages(packages: list[str]) -> None:
    """Install Debian packages; needs root and apt-get."""
    if not packages:
        return
    if os.geteuid() != 0:
        raise ClusterError(
            f"packages are missing ({' '.join(packages)}) and only root can install them: "
            f"run as root, or ask for `apt-get install {' '.join(packages)}`"
        )
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"this machine has no apt-get; install by its own means: {' '.join(packages)}"
        )
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    try:
        _run_apt(install)
    except ClusterError:
        # A stale package list is the usual reason.
        _run_apt(["apt-get", "update", "-q"])
        _run_apt(install)


def _run_apt(command: list[str]) -> None:
    run(command, environment={"DEBIAN_FRONTEND": "noninteractive"}, timeout=900)


def check_root() -> None:
    """Refuse early what only root can do."""
    if os.geteuid() != 0:
        raise ClusterError(
            "the embedded cluster runs a kubelet and containers and needs root: run it with sudo, "
            "or install Docker and kind and use `--provider kind`, "
            "or point KUBECONFIG at a cluster and use `--provider current`"
        )


def plan_disk_complaints(
    needs: Iterable[tuple[Path, int, str]], free: Mapping[int, int], device_of: Mapping[Path, int]
) -> list[str]:
    """Return a sentence for every device that has less free space than all that goes there."""
    wanted: dict[int, int] = {}
    reasons: dict[int, list[str]] = {}
    for path, amount, what in needs:
        device = device_of[path]
        wanted[device] = wanted.get(device, 0) + amount
        if amount:
            reasons.setdefault(device, []).append(f"{what} {amount / GIB:.1f} GB in {path}")
    return [
        f"needs {amount / GIB:.1f} GB of disk ({'; '.join(reasons[device])}), "
        f"only {free[device] / GIB:.1f} GB are free"
        for device, amount in wanted.items()
        if amount > free[device]
    ]


def check_disk(needs: list[tuple[Path, int, str]]) -> None:
    """Say before starting that the disk is too small, rather than fail in the middle."""
    existing = {path: _nearest_existing(path) for path, _, _ in needs}
    device_of = {path: place.stat().st_dev for path, place in existing.items()}
    free = {device_of[path]: shutil.disk_usage(place).free for path, place in existing.items()}
    complaints = plan_disk_complaints(needs, free, device_of)
    if complaints:
        raise ClusterError(
            "; ".join(complaints)
            + ". Free some, or set TRADING_OPERATOR_CACHE (GOCACHE, GOMODCACHE) to a larger disk"
        )


def read_folder_size(path: Path) -> int:
    """Return the bytes that the files under a folder take."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
