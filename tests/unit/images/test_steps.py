"""How a build speaks, and what it does on a machine that cannot build."""

import os
import shutil
from pathlib import Path

import pytest

from images.build import build_images
from images.builders import Buildah, BuilderMissingError, choose_builder
from images.cache import Cache
from images.debian import build_sources
from images.progress import StepError, open_log, step


def test_step_tells_its_time_and_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with step("[1/2]", "Building a thing") as notes:
        notes.append("250 MB")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["[1/2] Building a thing ...", "[1/2] done in 0 s (250 MB)"]


def test_failed_command_shows_the_end_of_its_log_and_where_the_rest_is(tmp_path: Path) -> None:
    log = open_log(tmp_path / "logs" / "thing.log")
    with pytest.raises(StepError) as caught:
        log.run(["sh", "-c", "seq 1 100; echo no space left >&2; exit 3"])
    message = str(caught.value)
    assert "sh ended with 3" in message
    assert str(tmp_path / "logs" / "thing.log") in message
    assert message.endswith("    100\n    no space left")
    assert "    50\n" not in message


def test_missing_tools_are_named_with_the_command_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuilderMissingError, match="buildah debootstrap util-linux"):
        choose_builder(None, Cache(tmp_path))


@pytest.mark.parametrize(("name", "needed"), [("base", 4_000), ("model-training-torch", 29_000)])
def test_a_disk_without_room_for_what_is_to_be_built_is_told_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, needed: int
) -> None:
    cache = Cache(tmp_path)
    full = shutil.disk_usage(tmp_path)._replace(free=needed * 1_000_000 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(OSError, match=f"needs {needed} MB free: make room there"):
        build_images([name], Buildah(cache), cache)
    assert not (tmp_path / "base").exists()


def test_docker_that_does_not_answer_is_not_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("docker", "exit 1"), ("buildah", ""), ("debootstrap", ""), ("unshare", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert type(choose_builder(None, Cache(tmp_path))).__name__ == "Buildah"
    (tmp_path / "docker").write_text("#!/bin/sh\necho 28.0.0\n")
    assert type(choose_builder(None, Cache(tmp_path))).__name__ == "Docker"


def test_sources_add_updates_and_security_fixes_of_the_same_mirror() -> None:
    assert build_sources("deb http://mirror.example/debian trixie main\n").splitlines() == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/debian-security trixie-security main",
    ]
    with pytest.raises(ValueError, match="not understood"):
        build_sources("")
