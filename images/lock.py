"""Pin every requirement, with hashes: one resolution for all groups, so that images agree."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from images.catalogue import REPOSITORY

FOLDER = Path("requirements")
# Resolved first and over everything; each group then takes its versions from it.
EVERYTHING = "test"
# Packages taken for the data inside them: what they import is not wanted.
DATA_ONLY = "recorded-data"
# Installed on request alone, apart from the tests' environment; it agrees with their versions.
ON_REQUEST = "model-training-torch"
HEADER = "# Made by: python3 -m images lock\n"
FORBIDDEN = re.compile(r"https?://|--index|--find-links|--extra-index|^\s*file:", re.MULTILINE)


class LockError(Exception):
    """Requirements could not be resolved, or the result must not be published."""


def find_uv() -> str:
    """The resolver: from PATH, or from the environment that runs this."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        raise LockError("uv is missing: pip install uv")
    return uv


def plan_command(uv: str, group: str, sources: list[Path], upgrade: bool) -> list[str]:
    """The resolver's command line for one group; paths are relative to the repository."""
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-config"]
    command += ["--output-file", str(FOLDER / f"{group}.txt"), *map(str, sources)]
    if upgrade and group == EVERYTHING:
        command.append("--upgrade")
    if group == DATA_ONLY:
        return [*command, "--no-deps"]
    return command if group == EVERYTHING else [*command, "-c", str(FOLDER / f"{EVERYTHING}.txt")]


def _lock(uv: str, group: str, sources: list[Path], upgrade: bool = False) -> None:
    output = REPOSITORY / FOLDER / f"{group}.txt"
    done = subprocess.run(
        plan_command(uv, group, sources, upgrade),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LockError(f"{FOLDER}/{group}.in: {done.stderr.strip()}")
    text = HEADER + output.read_text().removeprefix(HEADER)
    if FORBIDDEN.search(text) or str(Path.home()) in text:
        raise LockError(f"{FOLDER}/{group}.txt names a host or a path: look at {group}.in")
    output.write_text(text)


def lock_requirements(upgrade: bool = False) -> None:
    """Write every requirements/*.txt from its *.in; pins that still fit stay unless upgraded."""
    uv = find_uv()
    groups = sorted(path.stem for path in (REPOSITORY / FOLDER).glob("*.in"))
    apart = (EVERYTHING, DATA_ONLY, ON_REQUEST)
    shared = [group for group in groups if group not in apart]
    everything = [FOLDER / f"{group}.in" for group in (EVERYTHING, *shared)]
    _lock(uv, EVERYTHING, everything, upgrade)
    for group in (*shared, DATA_ONLY, ON_REQUEST):
        _lock(uv, group, [FOLDER / f"{group}.in"])
        print(f"wrote {FOLDER}/{group}.txt")
