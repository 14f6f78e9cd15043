import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.image_loading import (
    CONTAINERD_NAME,
    parse_images,
    plan_imports,
    read_image_names,
    write_archive,
)
from cluster.pause_image import PAUSE_IMAGE, build_layer, build_oci_files

NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    for name, content in build_oci_files(build_layer(b"program"), "amd64").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def read_archive(folder: Path, present: frozenset[str] = frozenset()) -> dict[str, bytes]:
    stream = io.BytesIO()
    write_archive(folder, stream, present)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        return {m.name: file.read() for m in archive if (file := archive.extractfile(m))}


def test_an_archive_holds_every_blob_and_the_name_containerd_reads(layout: Path) -> None:
    files = read_archive(layout)
    [entry] = json.loads(files["index.json"])["manifests"]
    assert entry["annotations"][CONTAINERD_NAME] == PAUSE_IMAGE
    manifest = json.loads(files["blobs/" + entry["digest"].replace(":", "/")])
    for part in (manifest["config"], *manifest["layers"]):
        assert len(files["blobs/" + part["digest"].replace(":", "/")]) == part["size"]


def test_blobs_that_the_node_has_are_left_out(layout: Path) -> None:
    blobs = [name for name in read_archive(layout) if name.startswith("blobs/")]
    present = frozenset({blobs[0].removeprefix("blobs/").replace("/", ":")})
    assert blobs[0] not in read_archive(layout, present)


def test_linked_blobs_are_archived_as_files(layout: Path, tmp_path: Path) -> None:
    whole = read_archive(layout)
    for number, blob in enumerate(list((layout / "blobs" / "sha256").iterdir())):
        elsewhere = tmp_path / f"shared-{number}"
        os.replace(blob, elsewhere)
        blob.symlink_to(elsewhere)
    assert read_archive(layout) == whole


def test_equal_programs_give_equal_images() -> None:
    assert build_oci_files(build_layer(b"a"), "amd64") == build_oci_files(
        build_layer(b"a"), "amd64"
    )
    assert build_oci_files(build_layer(b"a"), "amd64") != build_oci_files(
        build_layer(b"b"), "amd64"
    )


def test_only_missing_and_changed_images_are_imported() -> None:
    wanted = [(Path("a"), {"x:1": "d1"}), (Path("b"), {"y:1": "d2"}), (Path("c"), {"z:1": "d3"})]
    present = parse_images("REF TYPE DIGEST SIZE\nx:1 m d1 1 MiB\ny:1 m old 1 MiB\n")
    assert plan_imports(wanted, present) == [(Path("b"), ["y:1"]), (Path("c"), ["z:1"])]


def test_a_folder_without_index_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"no OCI layout folder: it has no index\.json"):
        read_image_names(tmp_path)


def test_a_short_image_name_is_refused_with_the_mend(layout: Path) -> None:
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    index["manifests"][0]["annotations"][NAME] = "pause:1"
    (layout / "index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ClusterError, match=r"write docker\.io/PROJECT/NAME:TAG"):
        read_image_names(layout)
