import shutil
import sys
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.packages import (
    GIB,
    check_disk,
    plan_disk_complaints,
    plan_packages,
    read_missing_programs,
)
from cluster.tools import MODULES, build_key, build_linker_flags, parse_go_version


def test_each_missing_package_is_installed_once() -> None:
    assert plan_packages(["ctr", "containerd", "conntrack"]) == ["conntrack", "containerd"]


def test_a_python_without_ensurepip_needs_the_package_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read_missing_programs(["ensurepip"]) == []
    # Debian ships Python without this module: its finder then finds nothing.
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "ensurepip", raising=False)
    assert plan_packages(read_missing_programs(["ensurepip"])) == ["python3-venv"]


def test_needs_on_one_disk_are_added_up() -> None:
    needs = [(Path("/a"), 2 * GIB, "programs"), (Path("/b"), 3 * GIB, "images")]
    same_disk = {Path("/a"): 1, Path("/b"): 1}
    [complaint] = plan_disk_complaints(needs, {1: 4 * GIB}, same_disk)
    assert complaint.startswith("needs 5.0 GB of disk (programs 2.0 GB in /a; images 3.0 GB in /b)")
    assert plan_disk_complaints(needs, {1: 5 * GIB}, same_disk) == []
    two_disks = {Path("/a"): 1, Path("/b"): 2}
    assert plan_disk_complaints(needs, {1: 2 * GIB, 2: 3 * GIB}, two_disks) == []


def test_too_small_a_disk_is_refused_before_the_start_with_the_mend(tmp_path: Path) -> None:
    too_much = shutil.disk_usage(tmp_path).total * 2
    with pytest.raises(ClusterError, match="TRADING_OPERATOR_CACHE"):
        check_disk([(tmp_path / "not" / "there" / "yet", too_much, "images")])
    check_disk([(tmp_path, 0, "images")])


def test_programs_have_another_address_when_a_version_changes() -> None:
    keys = {
        build_key([b"mod", b"sum"], "go1.26.4"),
        build_key([b"mod2", b"sum"], "go1.26.4"),
        build_key([b"mods", b"um"], "go1.26.4"),
        build_key([b"mod", b"sum"], "go1.26.5"),
    }
    assert len(keys) == 4


def test_the_programs_say_the_version_that_the_module_pins() -> None:
    pinned = (MODULES[0] / "go.mod").read_text(encoding="utf-8")
    version = build_linker_flags().split("gitVersion=")[1].split()[0]
    assert f"k8s.io/kubernetes {version}" in pinned


def test_versions_of_go_are_read() -> None:
    assert parse_go_version("go1.26.8\n") == (1, 26)
    with pytest.raises(ClusterError, match="which is no version"):
        parse_go_version("devel +abc")
