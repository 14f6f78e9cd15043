"""From records to figures: medians, ratios of one repetition, goals. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.subjects import FLOOR_GO, FLOOR_PYTHON, GO_DEFAULT, GO_WIDE, HELM, OURS

MEBIBYTE = 2**20
Row = Mapping[str, Any]  # one record, as it was kept
Read = Callable[[Row], float | None]


@dataclass(frozen=True)
class Measure:
    """One line of the table: what is read of a record, and how it is written."""

    name: str
    title: str
    read: Read
    digits: int = 1


@dataclass(frozen=True)
class Goal:
    """A figure that is aimed at, and what it is."""

    title: str
    wanted: str
    value: float | None
    met: bool

    @property
    def verdict(self) -> str:
        """Say whether it is reached."""
        return "not measured" if self.value is None else ("reached" if self.met else "missed")


def _per_system(row: Row, amount: float) -> float:
    return amount / float(row["backlog"]["systems"])


def _scaled(row: Row, systems: int, until: str = "seconds_to_children") -> float:
    """Return the seconds until all children are there, extrapolated from fewer systems."""
    made = int(row["backlog"]["systems"])
    return float(row["backlog"][until]) * systems / made


def _child_rate(row: Row) -> float:
    backlog = row["backlog"]
    return float(backlog["systems"] * backlog["children"] / backlog["child_seconds"])


def _status_tail(row: Row) -> float:
    return float(row["backlog"]["seconds_to_status"] - row["backlog"]["seconds_to_children"])


def _reads(row: Row) -> float:
    requests = row["backlog"]["requests"].items()
    return _per_system(row, sum(n for what, n in requests if what.startswith("get ")))


def _server_cpu(row: Row) -> float:
    return float(sum(row["backlog"]["usage"]["server_cpu_seconds"].values()))


def _restart(row: Row, key: str) -> float | None:
    return None if row["restart"] is None else float(row["restart"][key])


def _restart_writes(row: Row) -> float | None:
    return None if row["restart"] is None else float(sum(row["restart"]["writes"].values()))


def _mebibytes(amount: float | None) -> float | None:
    return None if amount is None else amount / MEBIBYTE


def build_measures(systems: int) -> tuple[Measure, ...]:
    """Return the lines of the table for a run over so many systems."""
    return (
        Measure(
            "wall",
            f"{systems} systems, process start to last child, s",
            lambda row: _scaled(row, systems),
        ),
        Measure(
            "rate",
            "children a second, first to last",
            _child_rate,
            0,
        ),
        Measure(
            "wall-status",
            f"{systems} systems, process start to last status, s",
            lambda row: _scaled(row, systems, "seconds_to_status"),
        ),
        Measure("tail", "last child to last status, s", _status_tail),
        Measure(
            "writes", "writes a system", lambda row: _per_system(row, row["backlog"]["writes"]), 2
        ),
        Measure("reads", "GETs a system", _reads, 2),
        Measure(
            "cpu",
            "own CPU a system, ms",
            lambda row: 1000 * _per_system(row, row["backlog"]["usage"]["cpu_seconds"]),
        ),
        Measure(
            "server-cpu",
            "CPU of API server and etcd a system, ms",
            lambda row: 1000 * _per_system(row, _server_cpu(row)),
        ),
        Measure(
            "latency",
            "one system, applied to last child, ms",
            lambda row: 1000 * median(row["latencies"]) if row["latencies"] else None,
        ),
        Measure(
            "memory", "memory (PSS), settled, MiB", lambda row: _mebibytes(row["settled_bytes"])
        ),
        Measure(
            "restart",
            "restart until each system was looked at, s",
            lambda row: _restart(row, "warm_seconds"),
        ),
        Measure(
            "restart-writes", "writes at the restart and while idle after it", _restart_writes, 0
        ),
        Measure(
            "restart-memory",
            "memory (PSS) after the restart, MiB",
            lambda row: _mebibytes(_restart(row, "settled_bytes")),
        ),
    )


def medians(rows: Iterable[Row], read: Read) -> dict[str, float]:
    """Return the median of a measure by subject, those without it left out."""
    found: dict[str, list[float]] = {}
    for row in rows:
        value = read(row)
        if value is not None:
            found.setdefault(row["subject"], []).append(value)
    return {subject: median(values) for subject, values in found.items()}


def ratios(rows: Sequence[Row], read: Read, above: str, below: str) -> list[float]:
    """Return above / below for every repetition that has both: drift of the machine falls out."""
    values = {(row["repetition"], row["subject"]): read(row) for row in rows}
    pairs = [
        (values.get((repetition, above)), values.get((repetition, below)))
        for repetition in sorted({row["repetition"] for row in rows})
    ]
    return [one / other for one, other in pairs if one is not None and other]


def faster_floor(rows: Sequence[Row], rate: Read) -> str:
    """Return the raw client with the higher median rate: the fair floor."""
    found = medians(rows, rate)
    return max((FLOOR_PYTHON, FLOOR_GO), key=lambda name: found.get(name, 0.0))


def build_goals(rows: Sequence[Row], systems: int) -> list[Goal]:
    """Return the goals with what was measured."""
    read = {measure.name: measure.read for measure in build_measures(systems)}
    floor = faster_floor(rows, read["rate"])
    ours = [row for row in rows if row["subject"] == OURS]
    wanted_writes = ours[0]["backlog"]["children"] + 1 if ours else 0
    return [
        _exact(
            "writes a new system: its children and one status", ours, read["writes"], wanted_writes
        ),
        _exact("GETs a new system", ours, read["reads"], 0),
        _at_least(f"write rate / {floor}", ratios(rows, read["rate"], OURS, floor), 0.85),
        _at_most(
            "backlog / controller-runtime, 32", ratios(rows, read["wall"], OURS, GO_WIDE), 1.1
        ),
        _at_most(
            "backlog with every status / controller-runtime, 32",
            ratios(rows, read["wall-status"], OURS, GO_WIDE),
            1.1,
        ),
        _at_most(
            "backlog / controller-runtime, 1", ratios(rows, read["wall"], OURS, GO_DEFAULT), 0.4
        ),
        _at_most("backlog / helm", ratios(rows, read["wall"], OURS, HELM), 0.2),
        _at_most("latency / controller-runtime", ratios(rows, read["latency"], OURS, GO_WIDE), 0.5),
        _at_most("own CPU / controller-runtime", ratios(rows, read["cpu"], OURS, GO_WIDE), 1.0),
        _at_most("memory / controller-runtime", ratios(rows, read["memory"], OURS, GO_WIDE), 0.4),
        _at_most("restart / controller-runtime", ratios(rows, read["restart"], OURS, GO_WIDE), 1.2),
        _exact("writes at a restart and while idle", ours, read["restart-writes"], 0),
    ]


def _at_most(title: str, found: Sequence[float], limit: float) -> Goal:
    value = median(found) if found else None
    return Goal(title, f"≤ {limit}", value, value is not None and value <= limit)


def _at_least(title: str, found: Sequence[float], limit: float) -> Goal:
    value = median(found) if found else None
    return Goal(title, f"≥ {limit}", value, value is not None and value >= limit)


def _exact(title: str, rows: Iterable[Row], read: Read, wanted: float) -> Goal:
    found = [value for value in map(read, rows) if value is not None]
    worst = max(found, key=lambda value: abs(value - wanted), default=None)
    return Goal(title, f"= {wanted:g}", worst, worst == wanted)
