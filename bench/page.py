"""docs/performance.md: parts between marks, which say what committed results say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.errors import BenchError
from bench.run import write_json
from bench.stage import ROOT

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
Result = Mapping[str, Any]


def put_between(text: str, begin: str, end: str, tables: str) -> str:
    """Put tables between two marks of a page. Raises BenchError where it has none."""
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise BenchError(f"docs/performance.md lacks the line {begin} or {end}")
    return f"{head}{begin}\n{tables}{end}{tail}"


@dataclass(frozen=True)
class Section:
    """A part of the page with one result."""

    begin: str
    end: str
    file: Path  # of the result
    render: Callable[[Result], str]
    publishing: str  # the command that renders it

    def publish(self, result: Result) -> Path:
        """Keep a result and render the page anew."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, result)
        PAGE.write_text(self.put(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")
        return self.file

    def check(self) -> None:
        """Raise BenchError when the page does not say what the result says."""
        text = PAGE.read_text(encoding="utf-8")
        result = orjson.loads(self.file.read_bytes()) if self.file.exists() else None
        if self.put(text, result) != text:
            raise BenchError(f"docs/performance.md differs from its result: {self.publishing}")

    def put(self, text: str, result: Result | None) -> str:
        """Return the page with a result, or with none."""
        tables = "" if result is None else self.render(result)
        return put_between(text, self.begin, self.end, tables)
