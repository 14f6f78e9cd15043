"""One whole run: record the template, then every subject in turn, again and again."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import aiohttp
import orjson

from bench.clients import measure_floor, measure_helm
from bench.control_plane import ControlPlane
from bench.machine import describe_machine
from bench.measure import Bench, measure_operator
from bench.parameters import Parameters
from bench.peers import SOURCES, ensure_peer
from bench.processes import wait_until
from bench.recording import Recorder
from bench.records import Record
from bench.stage import OPERATOR, ROOT, create_system, set_stage
from bench.subjects import (
    FLOOR_GO,
    FLOOR_PYTHON,
    GO_DEFAULT,
    GO_WIDE,
    HELM,
    OURS,
    Operator,
    build_operator,
    start_ours,
)
from bench.workload import Template, load_template
from cluster.layout import cache_dir
from cluster.progress import Progress

SUBJECTS = (FLOOR_PYTHON, OURS, GO_WIDE, FLOOR_GO, GO_DEFAULT, HELM)
RECORDED = "recorded-system"
RECORDING_SECONDS = 60.0


def run_folder(parameters: Parameters) -> Path:
    """Return where a run's records are kept, by its size and by the sources that it measures."""
    digest = hashlib.sha256(repr(parameters).encode())
    for file in _sources():
        digest.update(file.read_bytes())
    return cache_dir() / "bench" / "runs" / digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for folder, pattern in (("operator/trading_operator", "*.py"), ("bench", "*.py")):
        yield from sorted((ROOT / folder).rglob(pattern))
    yield from sorted(SOURCES.iterdir())
    yield from sorted((ROOT / "crds").iterdir())


def run_bench(parameters: Parameters, plane: ControlPlane, progress: Progress) -> Path:
    """Measure what is not measured yet; returns the folder of the records."""
    folder = run_folder(parameters)
    folder.mkdir(parents=True, exist_ok=True)
    todo = [each for each in plan_order(parameters) if not _file(folder, *each).exists()]
    steps = progress.of(len(todo) + 2)
    with steps.step("building the Go peer and writing certificates"):
        ensure_peer()
        plane.prepare()
    with steps.step("recording what the operator sends for one system"):
        template = _ensure_template(parameters, plane, folder)
    write_json(folder / "parameters.json", asdict(parameters))
    write_json(folder / "machine.json", describe_machine())
    bench = Bench(plane, parameters, len(load_template(template.read_bytes()).children))
    for repetition, subject in todo:
        with steps.step(f"repetition {repetition + 1}: {subject}"):
            record = measure(bench, subject, template, repetition)
            write_json(_file(folder, repetition, subject), asdict(record))
    return folder


def plan_order(parameters: Parameters) -> list[tuple[int, str]]:
    """Return (repetition, subject) in the order of measuring; each repetition begins elsewhere."""
    order = [
        (repetition, SUBJECTS[(repetition + index) % len(SUBJECTS)])
        for repetition in range(parameters.repetitions)
        for index in range(len(SUBJECTS))
    ]
    return [
        (repetition, subject)
        for repetition, subject in order
        if subject != HELM or repetition < parameters.helm_repetitions
    ]


def measure(bench: Bench, subject: str, template: Path, repetition: int) -> Record:
    """Measure one subject once."""
    if subject in (FLOOR_PYTHON, FLOOR_GO):
        return measure_floor(bench, subject, template, repetition)
    if subject == HELM:
        return measure_helm(bench, template, repetition)
    logs = template.parent / "logs"

    def build() -> Operator:
        return build_operator(subject, bench.plane, template, logs)

    return measure_operator(bench, build, repetition)


def _ensure_template(parameters: Parameters, plane: ControlPlane, folder: Path) -> Path:
    path = folder / "template.json"
    if not path.exists():
        set_stage(plane, parameters)
        path.write_bytes(asyncio.run(_record(plane, parameters, folder / "logs")).dump())
    return path


async def _record(plane: ControlPlane, parameters: Parameters, logs: Path) -> Template:
    """Run the operator over one system behind a proxy that takes its requests down."""
    server = plane.layout.profile
    context = plane.build_ssl_context()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context), auto_decompress=True
    ) as session:
        recorder = Recorder(f"https://{server.api_host}:{server.api_port}", session)
        runner, address = await recorder.serve()
        try:
            kubeconfig = plane.write_kubeconfig(OPERATOR, address)
            system = create_system(plane, RECORDED, parameters.namespace(0))
            await asyncio.to_thread(_run_recorded, kubeconfig, recorder, logs / "recorded.log")
            return recorder.build_template(system)
        finally:
            await runner.cleanup()


def _run_recorded(kubeconfig: Path, recorder: Recorder, log: Path) -> None:
    running = start_ours({"KUBECONFIG": str(kubeconfig)}, log)
    try:
        wait_until(lambda: bool(recorder.statuses), RECORDING_SECONDS, "a status", running.process)
    finally:
        running.process.stop()


def write_json(path: Path, value: object) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2))
    unfinished.rename(path)


def _file(folder: Path, repetition: int, subject: str) -> Path:
    return folder / f"{repetition:02d}-{subject}.json"
