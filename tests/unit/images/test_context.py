"""What decides an image, and what does not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from images.context import compute_key, read_copied_paths, read_recipe, write_context

CONTAINERFILE = """ARG BASE=debian:trixie-slim
FROM ${BASE}
COPY --chmod=0755 tool \\
    other /usr/local/bin/
COPY --from=build /made /made
COPY source /app/source
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "source" / "__pycache__").mkdir(parents=True)
    (tmp_path / "source" / "main.py").write_text("print()")
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "other").write_text("#!/bin/sh\n")
    (tmp_path / "Containerfile").write_text(CONTAINERFILE)
    return tmp_path


def _key(root: Path, base_key: str = "base") -> str:
    return compute_key(root, read_recipe(root, root / "Containerfile", base_key))


def _touch(path: Path) -> None:
    os.utime(path, (1, 1))


def _write(path: str, text: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / path).write_text(text)

    return write


def test_copied_paths_come_from_the_context_only(root: Path) -> None:
    assert read_copied_paths(root / "Containerfile") == ["tool", "other", "source"]


@pytest.mark.parametrize(
    "change",
    [
        _write("source/main.py", "print(1)"),
        _write("source/new.py", ""),
        _write("Containerfile", CONTAINERFILE + "USER 1000\n"),
        lambda root: (root / "tool").chmod(0o755),
        lambda root: (root / "source/main.py").rename(root / "source/moved.py"),
    ],
    ids=["content", "new file", "containerfile", "executable", "renamed"],
)
def test_key_changes_with_what_the_image_holds(root: Path, change: Callable[[Path], None]) -> None:
    before = _key(root)
    change(root)
    assert _key(root) != before
    assert _key(root, base_key="another") != _key(root)


@pytest.mark.parametrize(
    "change",
    [
        _write("source/__pycache__/main.pyc", "cache"),
        _write("source/.swp", "an editor's"),
        _write("unrelated", "not copied"),
        lambda root: _touch(root / "source/main.py"),
        lambda root: (root / "source/main.py").chmod(0o600),
    ],
    ids=["bytecode", "hidden", "not copied", "time", "umask"],
)
def test_key_stays_where_the_image_stays(root: Path, change: Callable[[Path], None]) -> None:
    before = _key(root)
    change(root)
    assert _key(root) == before


def test_missing_file_is_named_with_its_containerfile(root: Path) -> None:
    (root / "other").unlink()
    with pytest.raises(FileNotFoundError, match="Containerfile: COPY names other"):
        _key(root)


def test_context_holds_the_files_with_even_modes_and_times(root: Path, tmp_path: Path) -> None:
    (root / "source" / ".hidden").write_text("secret")
    (root / "source" / "main.py").chmod(0o600)
    target = tmp_path / "made" / "context"
    write_context(root, read_recipe(root, root / "Containerfile", ""), target)
    files = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert files == ["other", "source/main.py", "tool"]
    assert (target / "source/main.py").stat().st_mode & 0o777 == 0o644
    assert len({path.stat().st_mtime for path in [target, *target.rglob("*")]}) == 1
