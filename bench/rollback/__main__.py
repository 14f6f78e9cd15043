"""Command line: python -m bench.rollback {run,publish,check}."""

import argparse
import shutil
import signal
import sys
from dataclasses import fields
from types import FrameType

from bench.errors import BenchError
from bench.rollback.parameters import Parameters
from bench.rollback.results import check, publish, read_run, render_result
from bench.rollback.run import run_bench, run_folder
from cluster.errors import ClusterError
from cluster.kubernetes_api import ApiError
from cluster.progress import Progress
from demo.kubectl import CommandError


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    chosen = _build_parser().parse_args(arguments)
    try:
        chosen.command(chosen)
    except (BenchError, ClusterError, CommandError, ApiError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: the same command goes on with what is missing", file=sys.stderr)
        return 130
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.rollback", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="measure; goes on where a stopped run was")
    run.add_argument("--afresh", action="store_true", help="throw an earlier run's records away")
    run.set_defaults(command=_run)
    published = commands.add_parser("publish", help="keep the run and render docs/performance.md")
    published.set_defaults(command=lambda chosen: print(publish(run_folder(_parameters(chosen)))))
    for command in (run, published):
        for field in fields(Parameters):
            flag = f"--{field.name.replace('_', '-')}"
            command.add_argument(flag, type=type(field.default), default=field.default)
    commands.add_parser("check", help="does the page say what the result says").set_defaults(
        command=lambda _: check()
    )
    return parser


def _parameters(chosen: argparse.Namespace) -> Parameters:
    parameters = Parameters(
        **{each.name: getattr(chosen, each.name) for each in fields(Parameters)}
    )
    parameters.check()
    return parameters


def _run(chosen: argparse.Namespace) -> None:
    parameters = _parameters(chosen)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = run_folder(parameters)
    if chosen.afresh:
        shutil.rmtree(folder, ignore_errors=True)
    run_bench(parameters, Progress(1))
    print(render_result(read_run(folder)))
    print(f"records: {folder}\npublish them: make bench-rollback-publish")


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
