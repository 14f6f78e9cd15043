"""Bringing images from OCI layout folders into the node's containerd."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from cluster.commands import run
from cluster.errors import ClusterError
from cluster.layout import Layout

NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


def ctr(layout: Layout, *arguments: str) -> list[str]:
    """Return a ctr command line for the containers of Kubernetes."""
    return ["ctr", "--address", str(layout.containerd_socket), "-n", "k8s.io", *arguments]


def parse_images(listing: str) -> dict[str, str]:
    """Return digest by name from what `ctr images ls` prints."""
    rows = (line.split() for line in listing.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def read_images(layout: Layout) -> dict[str, str]:
    """Return the digest of every image that the node has, by name."""
    return parse_images(run(ctr(layout, "images", "ls")))


def read_index(folder: Path) -> dict[str, Any]:
    """Return the index of an OCI layout folder."""
    file = folder / "index.json"
    if not file.exists():
        raise ClusterError(f"{folder} is no OCI layout folder: it has no index.json")
    index: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return index


def read_image_names(folder: Path) -> dict[str, str]:
    """Return the digest of every named image in an OCI layout folder, by name."""
    manifests = read_index(folder)["manifests"]
    named = {entry["annotations"][NAME]: entry["digest"] for entry in manifests if _is_named(entry)}
    if not named:
        raise ClusterError(f"{folder}/index.json names no image: annotation {NAME} is missing")
    for name in named:
        if name.count("/") < 2 or ":" not in name:
            raise ClusterError(
                f"{folder}/index.json: image name {name!r} is not fully qualified; "
                "write docker.io/PROJECT/NAME:TAG"
            )
    return named


def _is_named(entry: dict[str, Any]) -> bool:
    return NAME in entry.get("annotations", {})


def build_index(index: dict[str, Any]) -> bytes:
    """Return an index whose names containerd takes as they are, without guessing."""
    manifests = [
        {
            **entry,
            "annotations": {**entry["annotations"], CONTAINERD_NAME: entry["annotations"][NAME]},
        }
        for entry in index["manifests"]
        if _is_named(entry)
    ]
    return json.dumps({**index, "manifests": manifests}).encode()


def write_archive(folder: Path, stream: IO[bytes], present: frozenset[str] = frozenset()) -> None:
    """Write an OCI layout folder as a tar stream, without the blobs that the reader has."""
    index = build_index(read_index(folder))
    # Links are followed: layouts of images with common layers may share the files.
    with tarfile.open(fileobj=stream, mode="w|", dereference=True) as archive:
        archive.add(folder / "oci-layout", "oci-layout")
        entry = tarfile.TarInfo("index.json")
        entry.size = len(index)
        archive.addfile(entry, io.BytesIO(index))
        for blob in sorted((folder / "blobs" / "sha256").iterdir()):
            if f"sha256:{blob.name}" not in present:
                archive.add(blob, f"blobs/sha256/{blob.name}")


def plan_imports(
    wanted: Iterable[tuple[Path, dict[str, str]]], present: dict[str, str]
) -> list[tuple[Path, list[str]]]:
    """Return the folders to import, each with the names that are missing or differ."""
    imports = []
    for folder, names in wanted:
        missing = [name for name, digest in names.items() if present.get(name) != digest]
        if missing:
            imports.append((folder, missing))
    return imports


def import_layout(layout: Layout, folder: Path) -> None:
    """Import one OCI layout folder into the node's containerd."""
    present = frozenset(run(ctr(layout, "content", "ls", "-q")).split())
    command = ctr(layout, "images", "import", "--snapshotter", "overlayfs", "-")
    log = layout.logs / "image-import.log"
    with log.open("wb") as output:
        importer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
        assert importer.stdin is not None
        try:
            write_archive(folder, importer.stdin, present)
            importer.stdin.close()
        except BrokenPipeError:
            pass  # The importer's own words, below, say why it went away.
        code = importer.wait()
    if code != 0:
        words = log.read_text(encoding="utf-8", errors="replace").strip()[-1000:]
        raise ClusterError(f"containerd refused the image in {folder}: {words}")
