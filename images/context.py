"""What an image is made from: the files its Containerfile copies, their digest, a clean copy."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Part of every key: raised when this package starts to build differently from the same files.
FORMAT = 3
# A fixed time and fixed modes, so that a fresh clone hits the layer cache of an older one.
FILE_TIME = 1_577_836_800


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an image; `files` are paths relative to the repository."""

    containerfile: Path
    files: tuple[Path, ...]
    base_key: str


def read_copied_paths(containerfile: Path) -> list[str]:
    """The paths that the COPY lines of a Containerfile take from the build context."""
    text = containerfile.read_text().replace("\\\n", " ")
    paths: list[str] = []
    for words in (line.split() for line in text.splitlines()):
        if words and words[0] == "COPY" and not any(word.startswith("--from=") for word in words):
            paths += [word for word in words[1:] if not word.startswith("--")][:-1]
    return paths


def _is_source(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and "__pycache__" not in path.parts and path.suffix != ".pyc"


def read_files(root: Path, paths: list[str], containerfile: Path) -> Iterator[Path]:
    """Every file below the given paths, relative to root, without caches and hidden files."""
    for path in paths:
        found = [root / path] if (root / path).is_file() else (root / path).rglob("*")
        relative = [file.relative_to(root) for file in found if file.is_file()]
        if not relative:
            raise FileNotFoundError(f"{containerfile}: COPY names {path}, which is not there")
        yield from (file for file in relative if _is_source(file))


def read_recipe(root: Path, containerfile: Path, base_key: str) -> Recipe:
    """Gather what decides an image from its Containerfile."""
    files = read_files(root, read_copied_paths(containerfile), containerfile)
    return Recipe(containerfile, tuple(sorted(set(files))), base_key)


def _mode(path: Path) -> int:
    return 0o755 if os.access(path, os.X_OK) else 0o644


def compute_key(root: Path, recipe: Recipe) -> str:
    """The name of an image's content: 32 hexadecimal digits, the same on every machine."""
    parts = {
        "format": FORMAT,
        "containerfile": hashlib.sha256(recipe.containerfile.read_bytes()).hexdigest(),
        "files": [
            [str(file), _mode(root / file), hashlib.sha256((root / file).read_bytes()).hexdigest()]
            for file in recipe.files
        ],
        "base": recipe.base_key,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def write_context(root: Path, recipe: Recipe, target: Path) -> None:
    """Copy the recipe's files into a new build context, with even modes and times."""
    target.mkdir(parents=True)
    for file in recipe.files:
        copy = target / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, copy)
        copy.chmod(_mode(root / file))
    for path in [*target.rglob("*"), target]:
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (FILE_TIME, FILE_TIME))
