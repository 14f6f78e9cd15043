"""Results that are committed: the records of one run with the machine, and their table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from bench.errors import BenchError
from bench.figures import Row, build_goals, build_measures, medians
from bench.page import PAGE, RESULTS, Result, put_between
from bench.run import SUBJECTS, write_json

BEGIN, END = "<!-- results: begin (make bench-publish) -->", "<!-- results: end -->"


def read_run(folder: Path) -> Result:
    """Read the records of a run."""
    rows = [orjson.loads(file.read_bytes()) for file in sorted(folder.glob("[0-9]*-*.json"))]
    if not rows:
        raise BenchError(f"{folder} has no records: run `make bench` first")
    parameters = orjson.loads((folder / "parameters.json").read_bytes())
    machine = orjson.loads((folder / "machine.json").read_bytes())
    return {"machine": machine, "parameters": parameters, "records": rows}


def publish(folder: Path) -> Path:
    """Keep a run as a result, by its size, and render the page anew."""
    result = read_run(folder)
    path = RESULTS / f"{result['parameters']['systems']}-systems.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    PAGE.write_text(render_page(PAGE.read_text(encoding="utf-8"), read_results()), encoding="utf-8")
    return path


def check() -> None:
    """Raise BenchError when the page does not say what the results say."""
    text = PAGE.read_text(encoding="utf-8")
    if render_page(text, read_results()) != text:
        raise BenchError("docs/performance.md differs from bench/results: make bench-publish")


def read_results() -> list[Result]:
    """Read what is published, the smallest run first."""
    results = [orjson.loads(file.read_bytes()) for file in RESULTS.glob("*.json")]
    return sorted(results, key=lambda result: int(result["parameters"]["systems"]))


def render_page(text: str, results: Sequence[Result]) -> str:
    """Put the tables between the marks of a page."""
    tables = "\n".join(render_result(result) for result in results)
    return put_between(text, BEGIN, END, tables)


def render_result(result: Result) -> str:
    """Return one run as text: what it ran on, goals, medians."""
    rows, systems = result["records"], int(result["parameters"]["systems"])
    repetitions = len({row["repetition"] for row in rows})
    children = rows[0]["backlog"]["children"]
    lines = [
        "",
        f"### {systems} systems of {children} children, {repetitions} repetitions",
        "",
        _describe(result["machine"], rows),
        "",
        *render_goals(rows, systems),
        "",
        *render_medians(rows, systems),
        "",
    ]
    return "\n".join(lines)


def _describe(machine: Mapping[str, str], rows: Sequence[Row]) -> str:
    loads = [row["load"] for row in rows]
    return (
        f"{machine['date']}, commit {machine['commit']}; {machine['cpu']}, {machine['memory']}, "
        f"Linux {machine['kernel']}; Kubernetes {machine['kubernetes']}, etcd {machine['etcd']} "
        f"(with fsync), Python {machine['python']}, Go {machine['go']}, controller-runtime "
        f"{machine['controllerRuntime']}, Helm {machine['helm']}. Load average at the start of a "
        f"measurement: {min(loads):.1f} to {max(loads):.1f}."
    )


def render_goals(rows: Sequence[Row], systems: int) -> list[str]:
    """Return the goals as lines of a table."""
    lines = ["| Goal | Aim | Measured | |", "|---|---|---|---|"]
    for goal in build_goals(rows, systems):
        value = "" if goal.value is None else f"{goal.value:.2f}"
        lines.append(f"| {goal.title} | {goal.wanted} | {value} | {goal.verdict} |")
    return lines


def render_medians(rows: Sequence[Row], systems: int) -> list[str]:
    """Return the medians of all subjects as lines of a table."""
    subjects = [name for name in SUBJECTS if any(row["subject"] == name for row in rows)]
    lines = ["| Median | " + " | ".join(subjects) + " |", "|---" * (len(subjects) + 1) + "|"]
    for measure in build_measures(systems):
        found = medians(rows, measure.read)
        cells = (f"{found[name]:.{measure.digits}f}" if name in found else "" for name in subjects)
        lines.append(f"| {measure.title} | " + " | ".join(cells) + " |")
    return lines
