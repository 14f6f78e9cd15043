"""The command line that every bench has: {run,publish,check}."""

import argparse
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

from bench.errors import BenchError
from cluster.errors import ClusterError
from cluster.kubernetes_api import ApiError
from demo.kubectl import CommandError

P = TypeVar("P")


@dataclass(frozen=True)
class Bench(Generic[P]):
    """What one bench does; its parameters are a dataclass of defaults with a `check`."""

    program: str  # as it is called
    publishing: str  # the command that keeps the last run
    parameters: type[P]
    folder: Callable[[P], Path]  # where a run of this size keeps its records
    measure: Callable[[P], object]  # goes on with what the folder lacks
    render: Callable[[Path], str]
    publish: Callable[[Path], object]
    check: Callable[[], object]


def run_command(bench: Bench[Any], arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    chosen = _build_parser(bench).parse_args(arguments)
    try:
        chosen.command(chosen)
    except (BenchError, ClusterError, CommandError, ApiError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: the same command goes on with what is missing", file=sys.stderr)
        return 130
    return 0


def _build_parser(bench: Bench[Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=bench.program)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="measure; goes on where a stopped run was")
    run.add_argument("--afresh", action="store_true", help="throw an earlier run's records away")
    run.set_defaults(command=lambda chosen: _run(bench, chosen))
    publish = commands.add_parser("publish", help="keep the run and render docs/performance.md")
    publish.set_defaults(
        command=lambda chosen: print(bench.publish(bench.folder(_parameters(bench, chosen))))
    )
    for command in (run, publish):
        for field in fields(bench.parameters):
            flag = f"--{field.name.replace('_', '-')}"
            command.add_argument(flag, type=type(field.default), default=field.default)
    check = commands.add_parser("check", help="does the page say what the results say")
    check.set_defaults(command=lambda _: bench.check())
    return parser


def _parameters(bench: Bench[Any], chosen: argparse.Namespace) -> Any:
    names = [each.name for each in fields(bench.parameters)]
    parameters = bench.parameters(**{name: getattr(chosen, name) for name in names})
    parameters.check()
    return parameters


def _run(bench: Bench[Any], chosen: argparse.Namespace) -> None:
    parameters = _parameters(bench, chosen)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = bench.folder(parameters)
    if chosen.afresh:
        shutil.rmtree(folder, ignore_errors=True)
    bench.measure(parameters)
    print(bench.render(folder))
    print(f"records: {folder}\npublish them: {bench.publishing}")


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
