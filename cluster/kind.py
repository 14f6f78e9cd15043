"""A cluster by kind, where Docker really is."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster.commands import run, succeeds
from cluster.errors import ClusterError
from cluster.image_loading import read_image_names, write_archive
from cluster.layout import state_root
from cluster.progress import Progress

NAME = "trading-operator"


def docker_answers() -> bool:
    """Tell whether Docker's engine is really there: the client alone is not enough."""
    return succeeds(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=10)


def kind_state() -> Path:
    """Return the folder of what we keep about the kind cluster."""
    return state_root() / "kind"


def kind_kubeconfig() -> Path:
    """Return the kubeconfig of the kind cluster; the person's own is left alone."""
    return kind_state() / "admin.kubeconfig"


def owner_mark() -> Path:
    """Return the file that says that we made the kind cluster, and no person did."""
    return kind_state() / "made-by-trading-operator"


def is_usable() -> bool:
    """Tell whether Docker's engine and kind are both there."""
    return shutil.which("kind") is not None and docker_answers()


def check_kind() -> None:
    """Refuse early what kind needs."""
    if shutil.which("kind") is None:
        raise ClusterError(
            "`kind` is not on PATH: install it with `go install sigs.k8s.io/kind@latest`, "
            "or use `CLUSTER=embedded` (`--provider embedded`)"
        )
    if not docker_answers():
        raise ClusterError(
            "`docker info` does not answer: start Docker, or use `CLUSTER=embedded` "
            "(`--provider embedded`)"
        )


def exists() -> bool:
    """Tell whether our kind cluster is there."""
    return NAME in run(["kind", "get", "clusters"]).split()


def start(progress: Progress) -> Path:
    """Create the cluster unless it is there; returns its kubeconfig."""
    check_kind()
    there = exists()
    if there and not owner_mark().exists():
        raise ClusterError(
            f"a kind cluster named {NAME} is there that was not made from here: "
            "use it with `CLUSTER=current`, or delete it, or use `CLUSTER=embedded`"
        )
    kind_state().mkdir(parents=True, exist_ok=True)
    owner_mark().touch()
    if not there:
        with progress.of(1).step("creating a kind cluster"):
            create = ["kind", "create", "cluster", "--name", NAME, "--wait", "180s"]
            run([*create, "--kubeconfig", str(kind_kubeconfig())], timeout=900)
    elif not kind_kubeconfig().exists():
        run(
            ["kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", str(kind_kubeconfig())]
        )
    return kind_kubeconfig()


def stop() -> None:
    """Delete the cluster if we made it; raise when Docker or kind is away and it may be left."""
    if not owner_mark().exists():
        return
    check_kind()
    if exists():
        run(["kind", "delete", "cluster", "--name", NAME], timeout=300)
    shutil.rmtree(kind_state())


def load_images(folders: Sequence[Path], progress: Progress) -> None:
    """Load OCI layout folders into the kind cluster's nodes."""
    steps = progress.of(len(folders))
    for folder in folders:
        with (
            steps.step(f"loading {', '.join(read_image_names(folder))}"),
            tempfile.NamedTemporaryFile(suffix=".tar") as archive,
        ):
            with open(archive.name, "wb") as stream:
                write_archive(folder, stream)
            run(["kind", "load", "image-archive", archive.name, "--name", NAME], timeout=600)
