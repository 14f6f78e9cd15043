"""One whole run: repetitions on fresh data, in which plain tools and ours take turns."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.backups.database import Database
from bench.backups.parameters import Parameters
from bench.backups.probes import Span, Waits, summarize
from bench.backups.records import Increment, Record
from bench.backups.subjects import DEFAULT, FAIR, PlainTools, Program
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
        dumps = take_turns(
            repetition,
            {
                DEFAULT: partial(plain.dump, DEFAULT),
                FAIR: plain.dump,
                "ours": logical.back_up,
            },
        )
        # Before any restore: a copy has all databases of its server.
        copies = take_turns(repetition, {"plain": plain.copy, "ours": physical.back_up})
        increments = [
            _increment(parameters, database, physical) for _ in range(parameters.increments)
        ]
        restores = take_turns(repetition, {"plain": plain.restore, "ours": logical.restore})
        return Record(
            repetition=repetition,
            load=load,
            database_bytes=size,
            gzip_dump=dumps[DEFAULT].seconds,
            gzip_dump_bytes=plain.measure_dump(DEFAULT),
            plain_dump=dumps[FAIR].seconds,
            plain_dump_bytes=plain.measure_dump(),
            plain_restore=restores["plain"].seconds,
            plain_copy=copies["plain"].seconds,
            dump=_target_seconds(dumps["ours"]),
            dump_run=_run_seconds(dumps["ours"]),
            dump_added_bytes=dumps["ours"]["addedBytes"],
            restore=restores["ours"]["rtoSeconds"],
            copy=_target_seconds(copies["ours"]),
            copy_run=_run_seconds(copies["ours"]),
            copy_bytes=copies["ours"]["bytes"],
            chain_restore=physical.restore()["rtoSeconds"],
            increments=increments,
            waits=_probe_all(parameters, repetition, database, plain, place),
        )


def take_turns(repetition: int, works: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
    """Let all work, in each repetition another one first; return what each answered."""
    names = list(works)
    first = repetition % len(names)
    return {name: works[name]() for name in (*names[first:], *names[:first])}


def _increment(parameters: Parameters, database: Database, physical: Program) -> Increment:
    database.change(parameters.changed_rows)
    answer = physical.back_up("Incremental")
    return Increment(_target_seconds(answer), answer["bytes"], answer["addedBytes"])


def _probe_all(
    parameters: Parameters, repetition: int, database: Database, plain: PlainTools, place: Path
) -> dict[str, Waits]:
    """Ask the server while nobody reads all of it, while pg_dump does, and while our Job does.

    Ours begins with an empty repository: it compresses and writes everything, as a first backup.
    """
    first = Program(database, place / "probed", "Logical")
    works: dict[str, Callable[[], Span]] = {
        "idle": partial(_idle, parameters.probe_seconds),
        "plain": plain.dump,
        "ours": first.read_data,
    }
    probe = partial(_probe, database, parameters.rows)
    return take_turns(repetition, {name: partial(probe, work) for name, work in works.items()})


def _probe(database: Database, rows: int, work: Callable[[], Span]) -> Waits:
    with database.probed(rows) as queries:
        span = work()
    return summarize(queries, span)


def _idle(seconds: float) -> Span:
    began = time.time()
    time.sleep(seconds)
    return Span(began, time.time())


def _target_seconds(answer: Answer) -> float:
    return float(answer["targets"][0]["seconds"])


def _run_seconds(answer: Answer) -> float:
    began, ended = (datetime.fromisoformat(answer[name]) for name in ("startedAt", "endedAt"))
    return (ended - began).total_seconds()
