"""Results that are committed: the records of one run with the machine, and their tables."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import orjson

from bench.errors import BenchError
from bench.page import RESULTS, Result, Section
from bench.rollback.figures import (
    Row,
    build_comparison,
    build_goals,
    build_reactions,
    build_storm,
    read_lead,
    rows_of,
)
from bench.rollback.run import STORM
from bench.subjects import OURS


def read_run(folder: Path) -> Result:
    """Read the records of a run."""
    rows = [orjson.loads(file.read_bytes()) for file in sorted(folder.glob("[0-9]*-*.json"))]
    storm = folder / STORM
    if not rows and not storm.exists():
        raise BenchError(f"{folder} has no records: run `make bench-rollback` first")
    return {
        "machine": orjson.loads((folder / "machine.json").read_bytes()),
        "parameters": orjson.loads((folder / "parameters.json").read_bytes()),
        "records": rows,
        "storm": orjson.loads(storm.read_bytes()) if storm.exists() else None,
    }


def render_result(result: Result) -> str:
    """Return a run as text: what it ran on, goals, tables."""
    rows, storm = result["records"], result["storm"]
    lines = ["", _describe(result), "", "| Goal | Aim | Measured | |", "|---|---|---|---|"]
    for goal in build_goals(rows, storm):
        value = "" if goal.value is None else f"{goal.value:.1f}"
        lines.append(f"| {goal.title} | {goal.wanted} | {value} | {goal.verdict} |")
    fake = [] if storm is None else build_storm(storm)
    ours = rows_of(rows, OURS)
    if ours:
        lines += ["", _cross_check(ours)]
    for table in (build_reactions(rows), build_comparison(rows), fake):
        lines += ["", *table] if table else []
    return "\n".join([*lines, ""])


def _cross_check(ours: Sequence[Row]) -> str:
    leads = [read_lead(row) for row in ours]
    return (
        "Two clocks for a report, of which the earlier one counts: the audit log dates the answer "
        f"to the kubelet {median(leads):.1f} ms (median; {min(leads):.1f} to {max(leads):.1f}) "
        "after the bench's own watch told of it."
    )


def _describe(result: Result) -> str:
    machine, parameters, rows = result["machine"], result["parameters"], result["records"]
    storm = result["storm"]
    loads = [row["load"] for row in (*rows, *([] if storm is None else [storm]))]
    return (
        f"{parameters['runs']} runs of each failure kind ({parameters['helm_runs']} of Helm); "
        f"{machine['date']}, commit {machine['commit']}; {machine['cpu']}, {machine['memory']}, "
        f"Linux {machine['kernel']}; Kubernetes {machine['kubernetes']}, Helm {machine['helm']} "
        f"(--timeout {parameters['helm_timeout_seconds']}s). Load average at the start of a "
        f"measurement: {min(loads):.1f} to {max(loads):.1f}."
    )


SECTION = Section(
    begin="<!-- going back: begin (make bench-rollback-publish) -->",
    end="<!-- going back: end -->",
    file=RESULTS / "rollback" / "result.json",
    render=render_result,
    publishing="make bench-rollback-publish",
)
