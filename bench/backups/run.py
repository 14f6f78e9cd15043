"""One whole run: repetitions on fresh data, in which plain tools and ours take turns."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.backups.database import Database
from bench.backups.parameters import Parameters
from bench.backups.records import Increment, Record
from bench.backups.subjects import PlainTools, Program
from bench.machine import describe_machine
from bench.run import write_json
from bench.stage import ROOT
from cluster.layout import cache_dir
from cluster.progress import Progress

Answer = Any


def run_folder(parameters: Parameters) -> Path:
    """Return where a run's records are kept, by its size and by the sources that it measures."""
    digest = hashlib.sha256(repr(parameters).encode())
    for folder in ("operator/trading_backup", "bench/backups"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return cache_dir() / "bench" / "backups" / digest.hexdigest()[:16]


def run_bench(parameters: Parameters, progress: Progress) -> None:
    """Measure what the folder lacks."""
    folder = run_folder(parameters)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "machine.json", describe_machine())
    write_json(folder / "parameters.json", asdict(parameters))
    missing = [
        (repetition, file)
        for repetition in range(parameters.repetitions)
        if not (file := folder / f"{repetition:02d}-backups.json").exists()
    ]
    steps = progress.of(len(missing))
    for repetition, file in missing:
        place = Path(tempfile.mkdtemp(prefix="bench-backups-"))
        place.chmod(0o755)
        try:
            with steps.step(f"repetition {repetition + 1} of {parameters.repetitions}"):
                write_json(file, asdict(measure(parameters, repetition, place)))
        finally:
            shutil.rmtree(place, ignore_errors=True)


def measure(parameters: Parameters, repetition: int, place: Path) -> Record:
    """Measure one repetition; who begins takes turns."""
    load, database = os.getloadavg()[0], Database(place / "server")
    with database.running():
        size = database.fill(parameters.rows)
        plain = PlainTools(database, place / "plain")
        logical = Program(database, place / "logical", "Logical")
        physical = Program(database, place / "physical", "Physical")
        dumps = _take_turns(repetition, plain.dump, logical.back_up)
        restores = _take_turns(repetition, plain.restore, logical.restore)
        copies = _take_turns(repetition, plain.copy, physical.back_up)
        increments = [
            _increment(parameters, database, physical) for _ in range(parameters.increments)
        ]
        return Record(
            repetition=repetition,
            load=load,
            database_bytes=size,
            plain_dump=dumps[0],
            plain_restore=restores[0],
            plain_copy=copies[0],
            dump=_target_seconds(dumps[1]),
            dump_run=_run_seconds(dumps[1]),
            dump_added_bytes=dumps[1]["addedBytes"],
            restore=restores[1]["rtoSeconds"],
            copy=_target_seconds(copies[1]),
            copy_run=_run_seconds(copies[1]),
            copy_bytes=copies[1]["bytes"],
            chain_restore=physical.restore()["rtoSeconds"],
            increments=increments,
            **_probe_all(parameters, database, plain, logical),
        )


def _take_turns(
    repetition: int, plain: Callable[[], float], ours: Callable[[], Answer]
) -> tuple[float, Answer]:
    if repetition % 2:
        answer = ours()
        return plain(), answer
    seconds = plain()
    return seconds, ours()


def _increment(parameters: Parameters, database: Database, physical: Program) -> Increment:
    database.change(parameters.changed_rows)
    answer = physical.back_up("Incremental")
    return Increment(_target_seconds(answer), answer["bytes"], answer["addedBytes"])


def _probe_all(
    parameters: Parameters, database: Database, plain: PlainTools, logical: Program
) -> dict[str, float]:
    """Ask the server while nobody backs it up, while pg_dump does, and while our Job does."""
    found: dict[str, float] = {}
    works: dict[str, Callable[[], object]] = {
        "idle": lambda: time.sleep(parameters.probe_seconds),
        "plain": plain.dump,
        "ours": logical.back_up,
    }
    for name, work in works.items():
        with database.probed(parameters.rows) as seconds:
            work()
        found |= {f"{name}_median": 1000 * median(seconds), f"{name}_99": 1000 * _high(seconds)}
    return found


def _high(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100)[98]


def _target_seconds(answer: Answer) -> float:
    return float(answer["targets"][0]["seconds"])


def _run_seconds(answer: Answer) -> float:
    began, ended = (datetime.fromisoformat(answer[name]) for name in ("startedAt", "endedAt"))
    return (ended - began).total_seconds()
