"""From records to the lines of the tables: medians and worst cases, goals. Pure."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from bench.figures import Goal
from bench.rollback.arithmetic import percentile
from bench.rollback.failures import BY_KIND, FAILURES
from bench.subjects import HELM, OURS

Row = Mapping[str, Any]  # one record, as it was kept
Read = Callable[[Row], float | None]
IDLE_AIM, STORM_AIM = 25.0, 250.0  # milliseconds
NEVER = "not in time"


def rows_of(rows: Sequence[Row], subject: str, kind: str | None = None) -> list[Row]:
    """Return the records of a subject, of one kind of failure if so asked."""
    return [
        row for row in rows if row["subject"] == subject and (kind is None or row["kind"] == kind)
    ]


def after(report: str, write: str) -> Read:
    """Build what reads the milliseconds from the kubelet's report to the operator's write.

    A watch may tell of a report before the API server has answered it: the earlier one counts.
    """

    def read(row: Row) -> float | None:
        reaction = row["reaction"]
        told = min(reaction[report], reaction[f"{report}_seen"])
        done = reaction[write]
        return None if done is None else 1000 * float(done - told)

    return read


def read_lead(row: Row) -> float:
    """Return by how many milliseconds the bench's watch told of the report before its answer."""
    reaction = row["reaction"]
    return 1000 * float(reaction["decided"] - reaction["decided_seen"])


def until(moment: str) -> Read:
    """Build what reads the seconds from the start of the command."""
    return lambda row: None if row[moment] is None else float(row[moment] - row["applied"])


def summarize(rows: Sequence[Row], read: Read, digits: int) -> str:
    """Return `median / worst`; where something is missing, the worst case is that it never came."""
    found = [read(row) for row in rows]
    known = sorted(value for value in found if value is not None)
    if not known:
        return NEVER if rows else ""
    # One that never came is longer than any.
    endless = [*known, *(float("inf") for value in found if value is None)]
    cells = (median(endless), endless[-1])
    return " / ".join(NEVER if each == float("inf") else f"{each:.{digits}f}" for each in cells)


def summarize_downtime(rows: Sequence[Row]) -> str:
    """Return the failed polls of the worst run, and the longest time without an answer."""
    if not rows:
        return ""
    failed = max(row["failed_polls"] for row in rows)
    if not failed:
        return "none"
    longest = max(row["longest_gap"] for row in rows)
    return f"{failed} of {max(row['polls'] for row in rows)}, {longest:.2f} s"


def build_reactions(rows: Sequence[Row]) -> list[str]:
    """Return the table of the operator's own times."""
    lines = [
        "| Median / worst | deciding report to verdict, ms | deciding report to workload, ms "
        "| first report to workload, ms | apply to all Ready again, s | apply to status "
        "RolledBack, s | client noticed |",
        "|---|---|---|---|---|---|---|",
    ]
    for failure in FAILURES:
        found = rows_of(rows, OURS, failure.kind)
        if found:
            cells = (
                failure.title,
                summarize(found, after("decided", "verdict"), 1),
                summarize(found, after("decided", "rollback"), 1),
                summarize(found, after("first", "rollback"), 1),
                summarize(found, until("restored"), 1),
                summarize(found, until("told_back"), 1),
                summarize_downtime(found),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return lines if len(lines) > 2 else []


def build_comparison(rows: Sequence[Row]) -> list[str]:
    """Return the table of both subjects side by side."""
    lines = [
        "| Median / worst | operator: apply to the old version alone, s | Helm, s "
        "| operator: client noticed | Helm: client noticed |",
        "|---|---|---|---|---|",
    ]
    for failure in FAILURES:
        ours, helm = (rows_of(rows, name, failure.kind) for name in (OURS, HELM))
        if helm:
            cells = (
                failure.title,
                summarize(ours, until("restored"), 1),
                summarize(helm, until("restored"), 1),
                summarize_downtime(ours),
                summarize_downtime(helm),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return lines if len(lines) > 2 else []


def in_waves(storm: Mapping[str, Any]) -> list[Row]:
    """Return the samples whose failure came while the other systems changed."""
    return [
        each
        for each in storm["storm"]
        if any(begin <= each["failed"] <= end for begin, end in storm["waves"])
    ]


def delays(samples: Sequence[Row], write: str = "rollback") -> list[float]:
    """Return the milliseconds from each failure to the operator's write."""
    return [1000 * (each[write] - each["failed"]) for each in samples if each[write] is not None]


def build_storm(storm: Mapping[str, Any]) -> list[str]:
    """Return the table of the fake nodes."""
    lines = ["| Fake nodes, ms | samples | p50 | p99 | worst |", "|---|---|---|---|---|"]
    stormy = f"while {storm['systems']} others change"
    for title, samples in (("nothing else changes", storm["idle"]), (stormy, in_waves(storm))):
        for write, what in (("verdict", "report to verdict"), ("rollback", "report to workload")):
            found = delays(samples, write)
            if found:
                figures = (percentile(found, 0.5), percentile(found, 0.99), max(found))
                told = " | ".join(f"{each:.1f}" for each in figures)
                lines.append(f"| {title}: {what} | {len(found)} | {told} |")
    return lines


def build_goals(rows: Sequence[Row], storm: Mapping[str, Any] | None) -> list[Goal]:
    """Return what is aimed at, and what it is."""
    ours = rows_of(rows, OURS)
    stormy = [] if storm is None else delays(in_waves(storm))
    return [
        _at_most(
            "deciding report to verdict, the first write, idle, median of all kinds, ms",
            _middle(ours, after("decided", "verdict")),
            IDLE_AIM,
        ),
        _at_most(
            "deciding report to workload, idle, median of all kinds, ms",
            _middle(ours, after("decided", "rollback")),
            IDLE_AIM,
        ),
        _at_most(
            "report to workload while others change, p99, ms",
            percentile(stormy, 0.99) if stormy else None,
            STORM_AIM,
        ),
        _at_most(
            "failed polls, worst run of a version that never serves", _failed_polls(ours, False), 0
        ),
        _at_most("failed polls, worst run of one that serves first", _failed_polls(ours, True), 0),
    ]


def _middle(rows: Sequence[Row], read: Read) -> float | None:
    found = [value for value in map(read, rows) if value is not None]
    return median(found) if found else None


def _failed_polls(rows: Sequence[Row], serves_first: bool) -> float | None:
    found = (row for row in rows if BY_KIND[row["kind"]].serves_first is serves_first)
    return max((float(row["failed_polls"]) for row in found), default=None)


def _at_most(title: str, value: float | None, limit: float) -> Goal:
    return Goal(title, f"≤ {limit:g}", value, value is not None and value <= limit)
