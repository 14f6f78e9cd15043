"""OCI layouts: made plain, named fully, laid over each other."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from images.builders import BuilderMissingError, unpack_archive
from images.layout import (
    REFERENCE,
    link_blobs,
    read_config,
    read_manifest,
    read_size,
    share_blobs,
    unpack,
    unpack_layers,
)

NAME = "docker.io/local/thing:1"


def _build_layer(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _write_blob(layout: Path, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / digest).write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def _write_layout(layout: Path, layers: list[bytes], packed: bool = True) -> Path:
    media_type = "application/vnd.oci.image.layer.v1.tar"
    described = []
    for layer in layers:
        blob = gzip.compress(layer) if packed else layer
        suffix = "+gzip" if packed else ""
        described.append({"mediaType": media_type + suffix, **_write_blob(layout, blob)})
    config = {"config": {"User": "70:70", "Env": ["A=b=c"], "Entrypoint": ["run"]}}
    manifest = {"config": _write_blob(layout, json.dumps(config).encode()), "layers": described}
    entry = _write_blob(layout, json.dumps(manifest).encode())
    (layout / "index.json").write_text(json.dumps({"manifests": [entry]}))
    (layout / "oci-layout").write_text("{}")
    return layout


LOWER = _build_layer({"kept": "1", "gone": "2", "folder/old": "3", "changed": "4"})
UPPER = _build_layer({".wh.gone": "", "folder/.wh..wh..opq": "", "folder/new": "5", "changed": "6"})


def test_layers_become_plain_and_other_blobs_go(tmp_path: Path) -> None:
    layout = _write_layout(tmp_path / "layout", [LOWER, UPPER])
    stray = _write_blob(layout, b"of another image")["digest"].removeprefix("sha256:")
    unpack_layers(layout)
    digests = [layer["digest"] for layer in read_manifest(layout)["layers"]]
    assert digests == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in (LOWER, UPPER)]
    assert read_size(layout) == len(LOWER) + len(UPPER)
    blobs = {path.name for path in (layout / "blobs/sha256").iterdir()}
    assert stray not in blobs
    assert len(blobs) == 4
    for name in blobs:
        assert hashlib.sha256((layout / "blobs/sha256" / name).read_bytes()).hexdigest() == name


def test_upper_layer_removes_and_replaces_what_lies_below(tmp_path: Path) -> None:
    layout = _write_layout(tmp_path / "layout", [LOWER, UPPER])
    unpack(layout, tmp_path / "rootfs")
    found = {
        str(path.relative_to(tmp_path / "rootfs")): path.read_text()
        for path in (tmp_path / "rootfs").rglob("*")
        if path.is_file()
    }
    assert found == {"kept": "1", "folder/new": "5", "changed": "6"}


def test_two_layouts_hold_a_common_layer_once(tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    layouts = [
        _write_layout(tmp_path / name, layers, packed=False)
        for name, layers in (("one", [LOWER]), ("two", [LOWER, UPPER]))
    ]
    for layout in layouts:
        share_blobs(layout, pool)
    name = hashlib.sha256(LOWER).hexdigest()
    inodes = {(layout / "blobs/sha256" / name).stat().st_ino for layout in layouts}
    assert inodes == {(pool / name).stat().st_ino}
    link_blobs(pool, tmp_path / "three")
    assert (tmp_path / "three/blobs/sha256" / name).stat().st_ino in inodes


def test_config_tells_how_to_run_the_image(tmp_path: Path) -> None:
    config = read_config(_write_layout(tmp_path / "layout", [LOWER]))
    assert config.user == "70:70"
    assert config.environment == {"A": "b=c"}
    assert (config.entrypoint, config.command, config.stop_signal) == (("run",), (), "SIGTERM")


def _save(layout: Path, archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        for path in sorted(layout.iterdir()):
            tar.add(path, path.name)


def test_saved_archive_becomes_a_layout_with_the_full_name(tmp_path: Path) -> None:
    saved = _write_layout(tmp_path / "saved", [LOWER])
    _save(saved, tmp_path / "image.tar")
    unpack_archive(tmp_path / "image.tar", tmp_path / "layout", NAME)
    index = json.loads((tmp_path / "layout/index.json").read_text())
    assert index["manifests"][0]["annotations"][REFERENCE] == NAME
    assert read_manifest(tmp_path / "layout") == read_manifest(saved)


def test_archive_of_an_old_engine_is_refused_with_the_mend(tmp_path: Path) -> None:
    saved = _write_layout(tmp_path / "saved", [LOWER])
    (saved / "oci-layout").unlink()
    _save(saved, tmp_path / "image.tar")
    with pytest.raises(BuilderMissingError, match="update Docker to 25"):
        unpack_archive(tmp_path / "image.tar", tmp_path / "layout", NAME)
