"""What the hand-written pages say is there: links, targets, commands, values, images."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from images.catalogue import IMAGES
from trading_operator.api import reasons

ROOT = Path(__file__).parents[3]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "helm" / "trading-operator" / "README.md",
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = [page.relative_to(ROOT).as_posix() for page in PAGES]


def code_lines(page: Path) -> Iterator[str]:
    """Yield what stands in code, in blocks and in running text."""
    text = page.read_text()
    for block in re.findall(r"```(?:sh|bash)?\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", text)


def found(page: Path, pattern: str) -> set[str]:
    """Return what a pattern's first group matches in a page's code."""
    return {match for line in code_lines(page) for match in re.findall(pattern, line)}


@pytest.mark.parametrize("name", NAMED)
def test_links_lead_to_files(name: str) -> None:
    page = ROOT / name
    prose = re.sub(r"```.*?```|(?<!`)`[^`\n]+`(?!\])", "", page.read_text(), flags=re.DOTALL)
    targets = [target for target in LINK.findall(prose) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", NAMED)
def test_make_targets_are_there(name: str) -> None:
    lines = {line for line in code_lines(ROOT / name) if line.startswith("make ")}
    words = {word for line in lines for word in line.partition("#")[0].split()[1:]}
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in words if "=" not in word} <= set(targets)


@pytest.mark.parametrize("name", NAMED)
def test_chart_values_are_there(name: str) -> None:
    values = yaml.safe_load((ROOT / "helm" / "trading-operator" / "values.yaml").read_text())
    for path in found(ROOT / name, r"--set(?:-string)?[ =]'?([A-Za-z.]+)="):
        place = values
        for key in path.split("."):
            assert key in place, path
            place = place[key]


@pytest.mark.parametrize("name", NAMED)
def test_local_images_are_built_by_the_catalogue(name: str) -> None:
    assert found(ROOT / name, r"(docker\.io/local/[^\s\\]+)") <= {i.reference for i in IMAGES}


@pytest.mark.parametrize("name", NAMED)
def test_image_names_are_in_the_catalogue(name: str) -> None:
    loops = re.findall(r"for name in (.*?); do", (ROOT / name).read_text(), re.DOTALL)
    words = {word for loop in loops for word in loop.replace("\\\n", " ").split()}
    assert words <= {image.name for image in IMAGES}


@pytest.mark.parametrize("program", ["cluster", "images"])
def test_commands_are_known_to_their_program(program: str) -> None:
    used = set().union(*(found(page, rf"python3 -m {program} ([a-z-]+)") for page in PAGES))
    assert used
    for word in sorted(used):
        command = [sys.executable, "-m", program, word, "--help"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_every_reason_and_condition_is_explained() -> None:
    texts = [text for text in vars(reasons).values() if isinstance(text, str)]
    words = {text for text in texts if re.fullmatch(r"[A-Z][A-Za-z]+", text)}
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert len(words) > 20
    assert {word for word in words if f"`{word}`" not in page} == set()
