"""One whole run: the failure kinds in turn on a real node, each subject after the other, again."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from bench.machine import describe_machine
from bench.rollback.change import Subject, watch_change
from bench.rollback.failures import Failure, build_bad
from bench.rollback.node import EMBEDDED, prepare_node
from bench.rollback.ours import Ours
from bench.rollback.parameters import Parameters
from bench.rollback.records import Record
from bench.rollback.registry import empty_registry
from bench.rollback.storm import measure_storm
from bench.rollback.storm_plane import StormPlane
from bench.rollback.with_helm import Helm
from bench.run import write_json
from bench.stage import ROOT
from bench.subjects import HELM, OURS
from cluster import api
from cluster.layout import cache_dir
from cluster.progress import Progress

STORM = "storm.json"
Turn = tuple[int, Failure, str]  # run, what fails, who is measured


def run_folder(parameters: Parameters) -> Path:
    """Return where a run's records are kept, by its size and by the sources that it measures."""
    digest = hashlib.sha256(repr(parameters).encode())
    for file in _sources():
        digest.update(file.read_bytes())
    return cache_dir() / "bench" / "rollback" / digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for folder in ("operator/trading_operator", "bench/rollback"):
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield from sorted((ROOT / "crds").iterdir())


def plan_turns(parameters: Parameters) -> list[Turn]:
    """Return the order of measuring: the subjects take turns, and in who is first as well."""
    return [
        (run, failure, subject)
        for run in range(max(parameters.runs, parameters.helm_runs))
        for index, failure in enumerate(parameters.failures)
        for subject in ((OURS, HELM) if (run + index) % 2 == 0 else (HELM, OURS))
        if run < (parameters.runs if subject == OURS else parameters.helm_runs)
    ]


def record_file(folder: Path, turn: Turn) -> Path:
    """Return where the record of a turn is kept."""
    run, failure, subject = turn
    return folder / f"{run:02d}-{failure.kind}-{subject}.json"


def run_bench(parameters: Parameters, progress: Progress) -> Path:
    """Measure what is not measured yet; returns the folder of the records."""
    folder = run_folder(parameters)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "parameters.json", asdict(parameters))
    write_json(folder / "machine.json", describe_machine())
    todo = [turn for turn in plan_turns(parameters) if not record_file(folder, turn).exists()]
    if todo:
        _measure_on_node(parameters, folder, todo, progress)
    if parameters.storm_samples and not (folder / STORM).exists():
        _measure_storm(parameters, folder, progress)
    return folder


def _measure_on_node(
    parameters: Parameters, folder: Path, todo: list[Turn], progress: Progress
) -> None:
    steps = progress.of(len(todo) + 1)
    try:
        with empty_registry(folder):
            # The demo's steps tell their own progress.
            subjects = _make_subjects(parameters, folder, {subject for _, _, subject in todo})
            for turn in todo:
                run, failure, subject = turn
                with steps.step(f"run {run + 1}: {failure.title}: {subject}"):
                    record = _measure(subjects[subject], failure, run)
                    write_json(record_file(folder, turn), asdict(record))
    finally:
        api.stop("node", EMBEDDED)


def _make_subjects(parameters: Parameters, folder: Path, names: set[str]) -> dict[str, Subject]:
    node = prepare_node(folder)
    ours = Ours(node, parameters.bake_seconds)
    if HELM not in names:
        return {OURS: ours}
    return {OURS: ours, HELM: Helm(node, ours.read_objects(), parameters.helm_timeout_seconds)}


def _measure(subject: Subject, failure: Failure, run: int) -> Record:
    """Measure one bad change, and have the good version serve again for the next one."""
    # The moment: a version that failed in a run that was stopped is not tried again.
    version = build_bad(failure, f"{failure.kind}-{run}-{int(time.time())}")
    record, course = watch_change(subject, failure, version, run)
    if isinstance(subject, Ours):
        reaction, requests = subject.find_reaction(course), subject.describe_requests(record)
        record = replace(record, reaction=reaction, requests=requests)
    subject.mend()
    return record


def _measure_storm(parameters: Parameters, folder: Path, progress: Progress) -> None:
    plane = StormPlane(progress)
    try:
        storm = measure_storm(parameters, plane, folder / "logs" / "storm.log", progress.of(10))
    finally:
        plane.delete()
    write_json(folder / STORM, asdict(storm))
