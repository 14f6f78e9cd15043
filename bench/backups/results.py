"""Results that are committed: the records of one run with the machine, and their tables."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.errors import BenchError
from bench.figures import Goal
from bench.page import RESULTS, Result, Section

MEBIBYTE = 2**20
Row = Mapping[str, Any]


def read_run(folder: Path) -> Result:
    """Read the records of a run."""
    rows = [orjson.loads(file.read_bytes()) for file in sorted(folder.glob("[0-9]*-*.json"))]
    if not rows:
        raise BenchError(f"{folder} has no records: run `make bench-backups` first")
    return {
        "machine": orjson.loads((folder / "machine.json").read_bytes()),
        "parameters": orjson.loads((folder / "parameters.json").read_bytes()),
        "records": rows,
    }


def build_goals(rows: Sequence[Row]) -> list[Goal]:
    """Return the goals with the medians of the repetitions' ratios."""
    aims = (
        ("dump / pg_dump -Fc --compress=zstd", "dump", "plain_dump"),
        ("restore with comparison / pg_restore of that dump", "restore", "plain_restore"),
        ("physical copy, verified and stored / pg_basebackup", "copy", "plain_copy"),
    )
    goals = []
    for title, ours, plain in aims:
        value = median(row[ours] / row[plain] for row in rows)
        goals.append(Goal(title, "≤ 1.15", value, value <= 1.15))
    return goals


def render_result(result: Result) -> str:
    """Return a run as text: what it ran on, goals, medians."""
    rows: Sequence[Row] = result["records"]
    lines = ["", _describe(result), "", "| Goal | Aim | Measured | |", "|---|---|---|---|"]
    for goal in build_goals(rows):
        lines.append(f"| {goal.title} | {goal.wanted} | {goal.value:.2f} | {goal.verdict} |")
    lines += ["", "| Median | plain tool | ours |", "|---|---|---|"]
    lines += [_line(rows, *each) for each in _TIMES]
    lines += ["", "| Median | |", "|---|---|"]
    lines += [f"| {title} | {_median(rows, read):.1f} |" for title, read in _SIZES]
    lines += ["", "| A query and an insert, ms | queries | median | 99% |", "|---|---|---|---|"]
    for title, name in _PROBES:
        count, middle, high = (_median(rows, _of_waits(name, each)) for each in _WAITS)
        lines.append(f"| {title} | {count:.0f} | {middle:.2f} | {high:.2f} |")
    return "\n".join([*lines, ""])


def _field(name: str) -> Callable[[Row], float]:
    return lambda row: float(row[name])


def _mebibytes(name: str) -> Callable[[Row], float]:
    return lambda row: float(row[name]) / MEBIBYTE


def _of_waits(name: str, figure: str) -> Callable[[Row], float]:
    return lambda row: float(row["waits"][name][figure])


def _of_increments(name: str, unit: float = 1.0) -> Callable[[Row], float]:
    return lambda row: median(each[name] for each in row["increments"]) / unit


_TIMES = (
    ("dump, s; plain: pg_dump -Fc --compress=zstd", "plain_dump", "dump"),
    ("dump, s; plain: pg_dump -Fc, which compresses with gzip", "gzip_dump", "dump"),
    ("the same, read back, published and verified, s", None, "dump_run"),
    ("restore, s", "plain_restore", "restore"),
    ("physical copy, s", "plain_copy", "copy"),
    ("the same, read back, published and verified, s", None, "copy_run"),
    ("a copy and its increments combined and verified, s", None, "chain_restore"),
)
_SIZES = (
    ("database, MiB", _mebibytes("database_bytes")),
    ("file of pg_dump -Fc, MiB", _mebibytes("gzip_dump_bytes")),
    ("file of pg_dump -Fc --compress=zstd, MiB", _mebibytes("plain_dump_bytes")),
    ("added to an empty repository by its first dump, MiB", _mebibytes("dump_added_bytes")),
    ("physical copy of the server with this database alone, MiB", _mebibytes("copy_bytes")),
    ("increment, MiB copied", _of_increments("bytes", MEBIBYTE)),
    ("increment, MiB added to the repository", _of_increments("added_bytes", MEBIBYTE)),
    ("increment, s", _of_increments("seconds")),
)
_PROBES = (
    ("nobody backs up", "idle"),
    ("while pg_dump -Fc --compress=zstd runs", "plain"),
    ("while our Job reads the data of a first backup", "ours"),
)
_WAITS = ("queries", "median", "high")


def _median(rows: Sequence[Row], read: Callable[[Row], float]) -> float:
    return median(read(row) for row in rows)


def _line(rows: Sequence[Row], title: str, plain: str | None, ours: str) -> str:
    beside = "" if plain is None else f"{_median(rows, _field(plain)):.1f}"
    return f"| {title} | {beside} | {_median(rows, _field(ours)):.1f} |"


def _describe(result: Result) -> str:
    machine, parameters, rows = result["machine"], result["parameters"], result["records"]
    loads = [row["load"] for row in rows]
    return (
        f"{parameters['rows']:,} rows, {len(rows)} repetitions; increments after "
        f"{parameters['changed_rows']:,} rows; {machine['date']}, commit {machine['commit']}; "
        f"{machine['cpu']}, {machine['memory']}, Linux {machine['kernel']}. Load average at the "
        f"start of a repetition: {min(loads):.1f} to {max(loads):.1f}."
    )


SECTION = Section(
    begin="<!-- backups: begin (make bench-backups-publish) -->",
    end="<!-- backups: end -->",
    file=RESULTS / "backups" / "result.json",
    render=render_result,
    publishing="make bench-backups-publish",
)
