"""The image that holds every pod's namespaces: one static program, packed as an OCI layout."""

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from cluster.commands import run
from cluster.layout import cache_dir
from cluster.tools import find_go, read_go_version

PAUSE_IMAGE = "docker.io/local/pause:1"
SOURCE = Path(__file__).parent / "pause"
USER = "65535:65535"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def build_layer(program: bytes) -> bytes:
    """Return a tar of one executable; without times, so that equal input gives equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program))
    return buffer.getvalue()


def build_oci_files(layer: bytes, architecture: str) -> dict[str, bytes]:
    """Return the files of an OCI layout with a one-layer image, by path."""
    blobs: dict[str, bytes] = {}
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"User": USER, "Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _add(blobs, CONFIG_TYPE, json.dumps(config).encode()),
        "layers": [_add(blobs, LAYER_TYPE, layer)],
    }
    described = _add(blobs, MANIFEST_TYPE, json.dumps(manifest).encode())
    described["annotations"] = {"org.opencontainers.image.ref.name": PAUSE_IMAGE}
    index = {"schemaVersion": 2, "manifests": [described]}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": b""}
    return files | blobs | {"index.json": json.dumps(index).encode()}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _add(blobs: dict[str, bytes], media_type: str, content: bytes) -> dict[str, Any]:
    digest = _digest(content)
    blobs[f"blobs/{digest.replace(':', '/')}"] = content
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def ensure_pause_layout() -> Path:
    """Build the pause image unless the cache has it; returns its OCI layout folder."""
    go = find_go()
    facts = [read_go_version(go).encode(), *(f.read_bytes() for f in sorted(SOURCE.iterdir()))]
    key = hashlib.sha256(b"\0".join(facts)).hexdigest()[:16]
    folder = cache_dir() / "pause" / key
    if not (folder / "index.json").exists():
        _write_layout(go, folder)
    return folder


def _write_layout(go: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        program, layout = Path(scratch) / "pause", Path(scratch) / "layout"
        command = [go, "-C", str(SOURCE), "build", "-trimpath", "-buildvcs=false"]
        command += ["-ldflags", "-s -w", "-o", str(program), "."]
        run(command, environment={**os.environ, "CGO_ENABLED": "0"}, timeout=300)
        architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
        files = build_oci_files(build_layer(program.read_bytes()), architecture)
        for name, content in files.items():
            (layout / name).parent.mkdir(parents=True, exist_ok=True)
            (layout / name).write_bytes(content)
        if not folder.exists():
            layout.rename(folder)
