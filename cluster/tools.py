"""Building the Kubernetes programs from source into the cache, once for each set of versions."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cluster import packages
from cluster.commands import build_search_path, run
from cluster.errors import ClusterError, build_component_error
from cluster.layout import cache_dir
from cluster.progress import Progress, Step

TOOLS = Path(__file__).parent / "tools"
# Each folder is one Go module, built on its own.
MODULES = (TOOLS, TOOLS / "etcd")
# What Go calls a program, where that is not its name.
RENAMED = {"server": "etcd"}
KUBERNETES_VERSION = "v1.36.3"
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
MINIMUM_GO = (1, 26)
PROGRAMS = (
    "coredns",
    "etcd",
    "helm",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "kwok",
    "metrics-server",
)
# Programs of the tests alone, each a module of its own: one that changes builds nothing else.
TEST_MODULES = {
    "helm3": TOOLS / "helm3",
    "promcheck": TOOLS / "promcheck",
    "versitygw": TOOLS / "versitygw",
}
GO_CACHE_BYTES = int(3.1 * packages.GIB)
GO_MODULES_BYTES = int(1.0 * packages.GIB)
PROGRAMS_BYTES = int(0.8 * packages.GIB)


def build_linker_flags() -> str:
    """Return the flags that give the programs their version; without them they say v0.0.0."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {
        "gitVersion": KUBERNETES_VERSION,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    sets = [f"-X {pkg}.{key}={value}" for pkg in VERSION_PACKAGES for key, value in values.items()]
    return " ".join(["-s", "-w", *sets])


def build_go_arguments(target: str, package: str = "tool") -> list[str]:
    """Return the arguments of a build; of every program of a module unless told which."""
    flags = ["-mod=readonly", "-trimpath", "-ldflags", build_linker_flags()]
    return ["build", *flags, "-o", target, package]


def build_key(modules: Sequence[bytes], go_version: str) -> str:
    """Return the content address of the programs, from their modules' go.mod and go.sum."""
    facts = [*modules, build_linker_flags().encode(), go_version.encode()]
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(hashlib.sha256(fact).digest())
    return digest.hexdigest()[:16]


def parse_go_version(text: str) -> tuple[int, int]:
    """Read (major, minor) from what `go env GOVERSION` prints, such as go1.26.4."""
    found = re.match(r"go(\d+)\.(\d+)", text.strip())
    if found is None:
        raise ClusterError(f"`go env GOVERSION` says {text.strip()!r}, which is no version")
    return int(found.group(1)), int(found.group(2))


def find_go() -> str:
    """Return the path of the go command."""
    places = [build_search_path(), "/usr/local/go/bin", "/usr/lib/go-1.26/bin"]
    found = shutil.which("go", path=":".join(places))
    if found is None:
        raise ClusterError(
            "Go is not installed; install Go 1.26 or later (https://go.dev/doc/install) "
            "so that `go` is on PATH or in /usr/local/go/bin"
        )
    return found


def read_go_version(go: str) -> str:
    """Return the version that builds here, after Go chose its toolchain; refuses an old one."""
    # -C: the module's own `go` line decides which toolchain Go picks (or fetches).
    version = run([go, "-C", str(TOOLS), "env", "GOVERSION"], timeout=300).strip()
    if parse_go_version(version) < MINIMUM_GO:
        raise ClusterError(
            f"{go} is {version}; Go 1.26 or later is needed: install it, or allow the download "
            "of a newer toolchain with GOTOOLCHAIN=auto"
        )
    return version


def find_tools() -> Path:
    """Return the folder in the cache where the programs are, or will be."""
    version = read_go_version(find_go())
    files = [folder / name for folder in MODULES for name in ("go.mod", "go.sum")]
    return cache_dir() / "tools" / build_key([file.read_bytes() for file in files], version)


def are_built(folder: Path) -> bool:
    """Tell whether every program lies in a tools folder."""
    return all((folder / name).exists() for name in PROGRAMS)


def plan_disk_needs(folder: Path) -> list[tuple[Path, int, str]]:
    """Return what a build writes where: (folder, bytes, what it is)."""
    if are_built(folder):
        return []
    places = run([find_go(), "env", "GOCACHE", "GOMODCACHE"]).split("\n")
    go_cache, modules = Path(places[0]), Path(places[1])
    return [
        (go_cache, _still_missing(go_cache, GO_CACHE_BYTES), "Go's build cache"),
        (modules, _still_missing(modules, GO_MODULES_BYTES), "Go modules"),
        (folder, PROGRAMS_BYTES, "programs"),
    ]


def _still_missing(folder: Path, whole: int) -> int:
    return max(0, whole - packages.read_folder_size(folder))


def ensure_tools(progress: Progress) -> Path:
    """Build the programs unless the cache has them; returns their folder."""
    folder = find_tools()
    if are_built(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    what = "building Kubernetes, etcd, helm, kwok, CoreDNS, metrics-server (~8 min the first time)"
    with progress.step(what) as step:
        _build(folder, step)
    return folder


def _build(folder: Path, step: Step) -> None:
    log = folder.parent / "build.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        target = Path(scratch) / "bin"
        target.mkdir()
        for module in MODULES:
            _build_module(module, target, log, step)
        for built, name in RENAMED.items():
            (target / built).rename(target / name)
        # Another run may have put the same programs there meanwhile; they are as good.
        if not are_built(folder):
            target.rename(folder)


def find_test_program(name: str) -> Path:
    """Return where a program of the tests is in the cache, or will be."""
    version = read_go_version(find_go())
    files = sorted(file for file in TEST_MODULES[name].iterdir() if file.is_file())
    key = build_key([file.read_bytes() for file in files], version)
    return cache_dir() / "tools" / f"{name}-{key}" / name


def ensure_test_programs(progress: Progress) -> None:
    """Build the programs of the tests that the cache lacks."""
    missing = [name for name in TEST_MODULES if not find_test_program(name).exists()]
    for name in missing:
        with progress.step(f"building {name} for the tests (~1 min the first time)") as step:
            _build_test_program(name, find_test_program(name), step)


def _build_test_program(name: str, program: Path, step: Step) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    log = program.parent / "build.log"
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        built = Path(scratch) / name
        own = any(TEST_MODULES[name].glob("*.go"))
        arguments = build_go_arguments(str(built), "." if own else "tool")
        _run_go(TEST_MODULES[name], arguments, log, step)
        built.rename(program)


def _build_module(module: Path, target: Path, log: Path, step: Step) -> None:
    _run_go(module, build_go_arguments(f"{target}/"), log, step)


def _run_go(module: Path, arguments: list[str], log: Path, step: Step) -> None:
    command = [find_go(), "-C", str(module), *arguments]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    with log.open("ab") as output:
        build = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            while build.poll() is None:
                step.tick()
                time.sleep(0.2)
        finally:
            build.terminate()
            build.wait()
    if build.returncode != 0:
        raise build_component_error(f"go build in {module}", f"failed ({build.returncode})", log)
