"""Results that are committed: the records of one run with the machine, and their tables."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.errors import BenchError
from bench.figures import Goal
from bench.page import RESULTS, Result, Section

Row = Mapping[str, Any]


def read_run(folder: Path) -> Result:
    """Read the records of a run."""

    def rows(pattern: str) -> list[Any]:
        return [orjson.loads(file.read_bytes()) for file in sorted(folder.glob(pattern))]

    overheads, checkpoints = rows("overhead-*.json"), rows("checkpoints.json")
    if not overheads or not checkpoints:
        raise BenchError(f"{folder} has no records: run `make bench-training` first")
    return {
        "machine": orjson.loads((folder / "machine.json").read_bytes()),
        "parameters": orjson.loads((folder / "parameters.json").read_bytes()),
        "overheads": overheads,
        "rollbacks": rows("rollback-*.json"),
        "checkpoints": checkpoints[0],
    }


def render_result(result: Result) -> str:
    """Return a run as text: what it ran on, the goal, medians."""
    overheads: Sequence[Row] = result["overheads"]
    rollbacks: Sequence[Row] = result["rollbacks"]
    saved = result["checkpoints"]
    over = [row["ours"] - row["bare"] for row in overheads]
    goal = Goal(
        "a training beside a bare Job with the same pod, s more",
        "< 1",
        median(over),
        median(over) < 1.0,
    )
    lines = ["", _describe(result), "", "| Goal | Aim | Measured | |", "|---|---|---|---|"]
    lines.append(f"| {goal.title} | {goal.wanted} | {goal.value:.2f} | {goal.verdict} |")
    lines += ["", "| | median | least | most |", "|---|---|---|---|"]
    lines.append(_line("resource: created to Succeeded, s", overheads, lambda row: row["ours"]))
    lines.append(_line("bare Job: created to Complete, s", overheads, lambda row: row["bare"]))
    lines.append(_line("bad live metric to services told, s", rollbacks, lambda row: row["told"]))
    lines.append(
        _line("bad live metric to the former traded, s", rollbacks, lambda row: row["traded"])
    )
    share = 100 * saved["saving"] / saved["training"]
    lines += [
        "",
        f"{saved['count']} checkpoints, one each {result['parameters']['checkpoint_seconds']} s, "
        f"took {saved['saving']:.2f} s of {saved['training']:.1f} s of training: {share:.2f} %.",
    ]
    return "\n".join([*lines, ""])


def _line(title: str, rows: Sequence[Row], read: Callable[[Row], float]) -> str:
    values = [read(row) for row in rows]
    return f"| {title} | {median(values):.1f} | {min(values):.1f} | {max(values):.1f} |"


def _describe(result: Result) -> str:
    machine, overheads = result["machine"], result["overheads"]
    loads = [row["load"] for row in (*overheads, *result["rollbacks"])]
    return (
        f"{len(overheads)} repetitions, {len(result['rollbacks'])} ways back; {machine['date']}, "
        f"commit {machine['commit']}; {machine['cpu']}, {machine['memory']}, Linux "
        f"{machine['kernel']}. Load average at the start of a repetition: {min(loads):.1f} to "
        f"{max(loads):.1f}."
    )


SECTION = Section(
    begin="<!-- trainings: begin (make bench-training-publish) -->",
    end="<!-- trainings: end -->",
    file=RESULTS / "training" / "result.json",
    render=render_result,
    publishing="make bench-training-publish",
)
