"""OCI image layouts on disk: names, shared blobs, unpacking."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFERENCE = "org.opencontainers.image.ref.name"
WHITEOUT = ".wh."
CHUNK_BYTES = 1 << 20
OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True)
class ImageConfig:
    """How an image wants to be run."""

    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    environment: dict[str, str]
    user: str
    working_folder: str
    stop_signal: str


def _blob(layout: Path, digest: str) -> Path:
    algorithm, _, value = digest.partition(":")
    return layout / "blobs" / algorithm / value


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def read_manifest(layout: Path) -> dict[str, Any]:
    """The manifest of the only image in a layout."""
    entry = _read_json(layout / "index.json")["manifests"][0]
    manifest = _read_json(_blob(layout, entry["digest"]))
    # A builder may wrap the image in an index of its own, with provenance beside it.
    if "manifests" in manifest:
        manifest = _read_json(_blob(layout, manifest["manifests"][0]["digest"]))
    return manifest


def write_reference(layout: Path, reference: str) -> None:
    """Name the image fully: a builder may have put only its tag there."""
    index = _read_json(layout / "index.json")
    index["manifests"] = index["manifests"][:1]
    index["manifests"][0].setdefault("annotations", {})[REFERENCE] = reference
    (layout / "index.json").write_text(json.dumps(index))


def link_blobs(pool: Path, layout: Path) -> None:
    """Put every shared blob into a layout that is to be filled: a builder writes none twice."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for blob in pool.glob("*"):
        os.link(blob, blobs / blob.name)


def unpack_layers(layout: Path) -> None:
    """Replace packed layers by plain ones and drop every blob that the image does not hold.

    Layouts do not travel; a layer that keeps its plain digest is known again by every image.
    """
    index = _read_json(layout / "index.json")
    manifest = read_manifest(layout)
    for layer in manifest["layers"]:
        if layer["mediaType"].endswith("+gzip"):
            layer.update(_unpack_layer(layout, layer))
    text = json.dumps(manifest).encode()
    digest = hashlib.sha256(text).hexdigest()
    (layout / "blobs" / "sha256" / digest).write_bytes(text)
    index["manifests"][0].update(digest=f"sha256:{digest}", size=len(text))
    (layout / "index.json").write_text(json.dumps(index))
    held = {manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
    for blob in (layout / "blobs" / "sha256").iterdir():
        if f"sha256:{blob.name}" not in held | {f"sha256:{digest}"}:
            blob.unlink()


def _unpack_layer(layout: Path, layer: dict[str, Any]) -> dict[str, Any]:
    """Write a layer without its packing; give what changes in its descriptor."""
    plain, digest, size = layout / "unpacked", hashlib.sha256(), 0
    with gzip.open(_blob(layout, layer["digest"])) as packed, plain.open("wb") as file:
        while chunk := packed.read(CHUNK_BYTES):
            digest.update(chunk)
            size += file.write(chunk)
    name = f"sha256:{digest.hexdigest()}"
    plain.replace(_blob(layout, name))
    media_type = layer["mediaType"].removesuffix("+gzip")
    return {"mediaType": media_type, "digest": name, "size": size}


def read_config(layout: Path) -> ImageConfig:
    """How the image in a layout wants to be run."""
    digest = read_manifest(layout)["config"]["digest"]
    config = _read_json(_blob(layout, digest)).get("config", {})
    return ImageConfig(
        command=tuple(config.get("Cmd") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        environment=dict(item.split("=", 1) for item in config.get("Env") or ()),
        user=config.get("User") or "0:0",
        working_folder=config.get("WorkingDir") or "/",
        stop_signal=config.get("StopSignal") or "SIGTERM",
    )


def read_size(layout: Path) -> int:
    """The bytes of all layers, as they lie in the layout."""
    return sum(int(layer["size"]) for layer in read_manifest(layout)["layers"])


def share_blobs(layout: Path, pool: Path) -> None:
    """Keep a blob that several layouts hold once on disk, by hard links."""
    pool.mkdir(parents=True, exist_ok=True)
    for blob in (layout / "blobs" / "sha256").iterdir():
        shared = pool / blob.name
        if not shared.exists():
            os.link(blob, shared)
            continue
        blob.unlink()
        os.link(shared, blob)


def unpack(layout: Path, target: Path) -> None:
    """Lay an image's layers over each other in a new folder; needs root, keeps owners."""
    target.mkdir(parents=True)
    for layer in read_manifest(layout)["layers"]:
        blob = _blob(layout, layer["digest"])
        _remove_whiteouts(blob, target)
        command = ["tar", "-x", "--numeric-owner", "-p", "--exclude", f"{WHITEOUT}*"]
        subprocess.run([*command, "-f", str(blob), "-C", str(target)], check=True)


def _remove_whiteouts(blob: Path, target: Path) -> None:
    with tarfile.open(blob) as archive:
        marks = [Path(name) for name in archive.getnames() if WHITEOUT in name]
    for mark in marks:
        folder = target / mark.parent
        gone = (
            folder.iterdir() if mark.name == OPAQUE else [folder / mark.name.removeprefix(WHITEOUT)]
        )
        for path in list(gone):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
