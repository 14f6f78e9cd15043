"""The pinned requirements that are in the repository."""

import re
from pathlib import Path

import pytest

from images.catalogue import REPOSITORY
from images.lock import DATA_ONLY, EVERYTHING, FORBIDDEN, ON_REQUEST, plan_command

FOLDER = REPOSITORY / "requirements"
GROUPS = sorted(path.stem for path in FOLDER.glob("*.in"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(.*)$", re.MULTILINE)


def _read_pins(path: Path) -> dict[tuple[str, str], str]:
    """Version of each package and marker; names as indexes compare them."""
    pins = PIN.findall(path.read_text())
    return {
        (re.sub(r"[-_.]+", "-", name).lower(), rest.strip(" \\;")): version
        for name, version, rest in pins
    }


@pytest.mark.parametrize("group", GROUPS)
def test_lock_file_holds_every_pin_that_was_asked_for_with_hashes(group: str) -> None:
    locked = (FOLDER / f"{group}.txt").read_text()
    pins = {(name, pin) for (name, _), pin in _read_pins(FOLDER / f"{group}.txt").items()}
    for (name, _), version in _read_pins(FOLDER / f"{group}.in").items():
        assert (name, version) in pins, f"{name}: run python3 -m images lock"
    for block in re.split(r"\n(?=\S)", locked):
        if PIN.match(block):
            assert "--hash=sha256:" in block, block


@pytest.mark.parametrize("group", GROUPS)
def test_lock_file_names_no_index_and_no_path_of_a_machine(group: str) -> None:
    assert not FORBIDDEN.search((FOLDER / f"{group}.txt").read_text())


@pytest.mark.parametrize("group", sorted({*GROUPS} - {EVERYTHING, DATA_ONLY}))
def test_images_hold_the_versions_that_the_tests_ran_with(group: str) -> None:
    tested = _read_pins(FOLDER / f"{EVERYTHING}.txt")
    for (name, marker), version in _read_pins(FOLDER / f"{group}.txt").items():
        candidates = {pin for (other, _), pin in tested.items() if other == name}
        if group == ON_REQUEST and not candidates:
            continue  # CUDA's libraries, which no other image has
        assert version in candidates, f"{name} {marker}: run python3 -m images lock"


def test_data_packages_bring_nothing_with_them() -> None:
    assert "--no-deps" in plan_command("uv", DATA_ONLY, [Path("x.in")], upgrade=False)
    names = {name for name, _ in _read_pins(FOLDER / f"{DATA_ONLY}.txt")}
    assert names == {"bokeh-sampledata", "gym-anytrading"}


def test_only_the_whole_resolution_is_upgraded() -> None:
    sources = [Path("x.in")]
    assert "--upgrade" in plan_command("uv", EVERYTHING, sources, upgrade=True)
    assert "--upgrade" not in plan_command("uv", "operator", sources, upgrade=True)
    assert "requirements/test.txt" in plan_command("uv", "operator", sources, upgrade=True)
