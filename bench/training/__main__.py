"""Command line: python -m bench.training {run,publish,check}."""

import sys

from bench.command_line import Bench, run_command
from bench.training.parameters import Parameters
from bench.training.results import SECTION, read_run, render_result
from bench.training.run import run_bench, run_folder
from cluster.progress import Progress

BENCH = Bench(
    program="python -m bench.training",
    publishing=SECTION.publishing,
    parameters=Parameters,
    folder=run_folder,
    measure=lambda parameters: run_bench(parameters, Progress(1)),
    render=lambda folder: render_result(read_run(folder)),
    publish=lambda folder: SECTION.publish(read_run(folder)),
    check=SECTION.check,
)

if __name__ == "__main__":
    sys.exit(run_command(BENCH, sys.argv[1:]))
