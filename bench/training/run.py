"""One whole run on the real node: trainings beside bare Jobs, ways back, checkpoints."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.machine import describe_machine
from bench.rollback.node import prepare_node
from bench.run import write_json
from bench.stage import ROOT
from bench.training.desk import Desk, build_training, wait_until
from bench.training.parameters import Parameters
from bench.training.records import Checkpoints, Overhead, Rollback
from cluster.api import stop
from cluster.layout import cache_dir
from cluster.progress import Progress
from demo.steps import NAMESPACE, SYSTEM, apply_system
from demo.watching import wait_until_ready

_READY_SECONDS = 300.0
_LINE = "bench"
# No model is so good: the bound is broken as soon as it is looked at.
_IMPOSSIBLE = {"metric": "liveLogloss", "op": "<=", "value": "0.01", "minBars": 10}


def run_folder(parameters: Parameters) -> Path:
    """Return where a run's records are kept, by its size and by the sources that it measures."""
    digest = hashlib.sha256(repr(parameters).encode())
    for folder in ("operator/trading_operator", "trading_services", "bench/training"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return cache_dir() / "bench" / "training" / digest.hexdigest()[:16]


def run_bench(parameters: Parameters, progress: Progress) -> None:
    """Measure what the folder lacks, on a cluster of its own."""
    folder = run_folder(parameters)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "machine.json", describe_machine())
    write_json(folder / "parameters.json", asdict(parameters))
    works = [each for each in _plan(parameters) if not (folder / each[0]).exists()]
    if not works:
        return
    desk = Desk(prepare_node(folder))
    try:
        apply_system(desk.node.tools)
        wait_until_ready(desk.node.tools, NAMESPACE, SYSTEM, _READY_SECONDS)
        steps = progress.of(len(works))
        for file, measure in works:
            with steps.step(file.removesuffix(".json")):
                write_json(folder / file, asdict(measure(desk)))
    finally:
        stop("node", "embedded")


def _plan(parameters: Parameters) -> list[tuple[str, Callable[[Desk], Any]]]:
    """Return what is measured, by the file of its record; ways back first, while bars come."""
    works: list[tuple[str, Callable[[Desk], Any]]] = [
        (f"rollback-{number:02d}.json", partial(measure_rollback, repetition=number))
        for number in range(parameters.rollbacks)
    ]
    works += [
        (f"overhead-{number:02d}.json", partial(measure_overhead, repetition=number))
        for number in range(parameters.repetitions)
    ]
    return [*works, ("checkpoints.json", partial(measure_checkpoints, parameters=parameters))]


def measure_overhead(desk: Desk, repetition: int) -> Overhead:
    """Measure a training as a resource and as a bare Job with the same pod; who begins takes
    turns.
    """
    load, name = os.getloadavg()[0], f"beside-{repetition}"
    # Its Job file and template are taken from a training that is not timed.
    desk.create(build_training(f"form-{repetition}"))
    template, files = wait_until(lambda: _try_template(desk, f"form-{repetition}"), "a template")
    wait_until(lambda: desk.status(f"form-{repetition}").get("phase") == "Succeeded", "its end")
    told = json.loads(files["job.json"])
    told["model"]["type"] = f"bare-{repetition}"
    told["checkpoints"]["folder"] += f"-bare-{repetition}"
    bare_files = {"job.json": json.dumps(told)}
    seconds = {}
    for which in ("ours", "bare") if repetition % 2 == 0 else ("bare", "ours"):
        if which == "ours":
            seconds[which] = desk.train(build_training(name))
        else:
            seconds[which] = desk.run_bare(f"bare-{repetition}", template, bare_files)
    for each in (name, f"form-{repetition}"):
        desk.delete(each)
    return Overhead(repetition, load, seconds["ours"], seconds["bare"])


def _try_template(desk: Desk, name: str) -> Any:
    try:
        return desk.template_of(name)
    except Exception:
        return None


def measure_rollback(desk: Desk, repetition: int) -> Rollback:
    """Promote a good version, then one whose bound cannot be met; measure from the first answer
    that breaks it.
    """
    load, name = os.getloadavg()[0], f"back-{repetition}"
    promotion = {"service": "trading-strategy", "mode": "Auto"}
    quick = {**promotion, "observation": {"window": "10s"}}
    # All are of one line: each goes on with what the one before has left.
    line = {"type": _LINE, "timeframe": "1h"}
    desk.create(build_training(name, model=line, promotion=quick, seed=200 + repetition))
    wait_until(lambda: _stands(desk, name) == "Kept", f"{name} kept")
    good = desk.status(name)["champion"]["id"]
    strict = {**promotion, "observation": {"window": "10m", "live": [_IMPOSSIBLE]}}
    desk.change(name, promotion=strict, seed=100 + repetition)
    wait_until(lambda: desk.told().get(_LINE) not in (None, good), "the second version")
    bad = desk.told()[_LINE]
    minimum = int(str(_IMPOSSIBLE["minBars"]))
    wait_until(lambda: _judged(desk, _LINE, bad) >= minimum, "ten judged bars", 0.05)
    began = time.monotonic()
    wait_until(lambda: desk.told().get(_LINE) == good, "the first version", 0.05)
    told = time.monotonic() - began
    wait_until(lambda: _trades(desk, _LINE) == good, "the first version is traded", 0.05)
    traded = time.monotonic() - began
    if _stands(desk, name) != "RolledBack":
        raise BenchError(f"{name} went back for another reason: {desk.describe(name)}")
    desk.delete(name)
    return Rollback(repetition, load, told, traded)


def _stands(desk: Desk, name: str) -> str:
    return str((desk.status(name).get("promotion") or {}).get("phase", ""))


def _judged(desk: Desk, line: str, version: str) -> int:
    found = (each for each in desk.reports() if (each["type"], each["id"]) == (line, version))
    return next((int(each["judged"]) for each in found), 0)


def _trades(desk: Desk, line: str) -> str:
    return next((str(each["trades"]) for each in desk.reports() if each["type"] == line), "")


def measure_checkpoints(desk: Desk, parameters: Parameters) -> Checkpoints:
    """Run one longer training, and read what its program says that checkpoints cost."""
    load = os.getloadavg()[0]
    training = build_training(
        "saved",
        hyperparameters={"rounds": str(parameters.rounds)},
        checkpoints={"every": f"{parameters.checkpoint_seconds}s"},
    )
    desk.train(training)
    lines = [line for line in desk.logs("saved-1-1").splitlines() if "checkpoint cost" in line]
    told = json.loads(lines[-1])
    desk.delete("saved")
    return Checkpoints(load, told["of_seconds"], told["seconds"], told["checkpoints"])
