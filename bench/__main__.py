"""Command line: python -m bench {run,publish,check}."""

import sys

from bench.command_line import Bench, run_command
from bench.control_plane import ControlPlane, find_layout
from bench.parameters import Parameters
from bench.results import check, publish, read_run, render_result
from bench.run import run_bench, run_folder
from cluster.progress import Progress


def _measure(parameters: Parameters) -> None:
    plane = ControlPlane(find_layout())
    try:
        run_bench(parameters, plane, Progress(1))
    finally:
        plane.delete()


BENCH = Bench(
    program="python -m bench",
    publishing="make bench-publish",
    parameters=Parameters,
    folder=run_folder,
    measure=_measure,
    render=lambda folder: render_result(read_run(folder)),
    publish=publish,
    check=check,
)

if __name__ == "__main__":
    sys.exit(run_command(BENCH, sys.argv[1:]))
