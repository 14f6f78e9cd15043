"""The machine and the versions behind a result."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

from bench.peers import SOURCES
from bench.stage import ROOT
from cluster.commands import run, succeeds
from cluster.tools import KUBERNETES_VERSION, TOOLS, find_go, read_go_version


def describe_machine() -> dict[str, str]:
    """Return what a reader must know to judge the figures."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": read_commit(),
        "cpu": f"{os.cpu_count()} x {_read_cpu_model()}",
        "memory": f"{_read_memory_bytes() / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "go": read_go_version(find_go()).removeprefix("go"),
        "kubernetes": KUBERNETES_VERSION.removeprefix("v"),
        "etcd": read_module_version(TOOLS / "etcd" / "go.mod", "go.etcd.io/etcd/server/v3"),
        "helm": read_module_version(TOOLS / "go.mod", "helm.sh/helm/v4"),
        "controllerRuntime": read_module_version(
            SOURCES / "go.mod", "sigs.k8s.io/controller-runtime"
        ),
    }


def read_module_version(go_mod: Path, module: str) -> str:
    """Return the version of a module that a go.mod names; empty when it names none."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", go_mod.read_text(), re.M)
    return found.group(1) if found else ""


def read_commit() -> str:
    """Return the commit that is checked out, and whether something differs from it."""
    git = ["git", "-C", str(ROOT)]
    if not succeeds([*git, "rev-parse", "HEAD"]):
        return ""
    changed = run([*git, "status", "--porcelain", "--", "operator", "bench"]).strip()
    return run([*git, "rev-parse", "--short", "HEAD"]).strip() + (" and changes" if changed else "")


def _read_cpu_model() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.+)$", text, re.M)
    return found.group(1) if found else platform.machine()


def _read_memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
