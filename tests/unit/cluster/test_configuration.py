import json
import re
from pathlib import Path

import pytest
import yaml

from cluster.cleanup import parse_mounts
from cluster.embedded import build_components
from cluster.fake_nodes import STAGES
from cluster.layout import CONTROL_PLANE, NODE, Layout
from cluster.node import write_node_config
from cluster.storage import storage_manifest, write_storage_config


def build(profile_name: str, folder: Path) -> Layout:
    profile = NODE if profile_name == "node" else CONTROL_PLANE
    return Layout(profile=profile, state=folder / profile_name, cache=folder, bin=folder / "bin")


@pytest.fixture
def node(tmp_path: Path) -> Layout:
    layout = build("node", tmp_path)
    layout.pki.mkdir(parents=True)
    layout.config.mkdir(parents=True)
    (layout.pki / "ca.crt").write_text("authority")
    write_node_config(layout)
    write_storage_config(layout)
    return layout


def test_no_placeholder_is_left_in_a_rendered_file(node: Layout) -> None:
    for file in node.config.rglob("*"):
        if file.is_file():
            assert not re.search(r"\$[a-z_]+", file.read_text(encoding="utf-8")), file


def test_rendered_json_and_yaml_are_well_formed(node: Layout) -> None:
    for name in ("kubelet.json", "kube-proxy.json", "cni/10-bridge.conflist"):
        json.loads((node.config / name).read_text(encoding="utf-8"))
    for manifest in (node.config / "addons.yaml", storage_manifest(node), STAGES):
        documents = list(yaml.safe_load_all(manifest.read_text(encoding="utf-8")))
        assert all(document["kind"] and document["metadata"]["name"] for document in documents)


def test_the_two_profiles_share_no_folder_and_no_address(tmp_path: Path) -> None:
    node, control_plane = build("node", tmp_path), build("control-plane", tmp_path)
    assert (NODE.api_host, NODE.api_port) != (CONTROL_PLANE.api_host, CONTROL_PLANE.api_port)
    for component in build_components(control_plane):
        assert str(node.state) not in " ".join(component.command)


def test_a_control_plane_alone_starts_nothing_that_touches_the_network(tmp_path: Path) -> None:
    names = {component.name for component in build_components(build("control-plane", tmp_path))}
    assert names.isdisjoint({"containerd", "kubelet", "kube-proxy", "coredns"})


def test_every_process_shows_the_state_folder_in_its_command(tmp_path: Path) -> None:
    for layout in (build("node", tmp_path), build("control-plane", tmp_path)):
        for component in build_components(layout):
            assert f"{layout.state}/" in " ".join(component.command), component.name


def test_mounts_below_a_folder_are_undone_in_reverse_order() -> None:
    lines = [
        "1 0 8:1 / / rw - ext4 /dev/vda rw",
        "2 1 0:5 / /state/node/a rw - tmpfs tmpfs rw",
        r"3 2 0:6 / /state/node/a/b\040c rw - tmpfs tmpfs rw",
        "4 1 0:7 / /state/node-2 rw - tmpfs tmpfs rw",
    ]
    assert parse_mounts("\n".join(lines), Path("/state/node")) == [
        "/state/node/a/b c",
        "/state/node/a",
    ]
