"""The command line: python -m trading_backup backup | verify | drill | restore | list."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from trading_backup import answer
from trading_backup.answer import Outcome, build_answer, fail, fit, write_answer
from trading_backup.backup import back_up
from trading_backup.errors import EXIT_FAILED, BackupError, StoppedError
from trading_backup.job import Job, read_job
from trading_backup.listing import list_sets
from trading_backup.log_format import configure_logging
from trading_backup.presence import present
from trading_backup.programs import Programs
from trading_backup.progress import PORT, PORT_VARIABLE, Progress, serve_progress
from trading_backup.reasons import Reason
from trading_backup.restic import open_restic
from trading_backup.restoring import drill, restore
from trading_backup.secret_files import SecretFiles
from trading_backup.stopping import Stop
from trading_backup.tools import Tools
from trading_backup.verification import verify

logger = logging.getLogger("trading_backup")

COMMANDS: dict[str, Callable[[Tools], Outcome]] = {
    "backup": back_up,
    "verify": verify,
    "drill": drill,
    "restore": restore,
    "list": list_sets,
}


def now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def main(words: list[str]) -> int:
    """Run one command; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trading_backup", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    command = parser.parse_args(words).command
    started, secrets, stop = now(), SecretFiles(), Stop()
    os.umask(0o077)
    configure_logging(secrets)
    stop.install()
    outcome, code = _run(command, secrets, stop)
    said = fit(build_answer(outcome, started, now()))
    path = Path(os.environ.get(answer.VARIABLE, answer.DEFAULT_PATH))
    write_answer(secrets.blot(said.decode()).encode(), path)
    return code


def _run(command: str, secrets: SecretFiles, stop: Stop) -> tuple[Outcome, int]:
    warnings: list[str] = []
    try:
        job = read_job()
        with present(job.repository.path) as presence:
            tools = _open_tools(job, secrets, stop)
            outcome = COMMANDS[command](replace(tools, presence=presence, warnings=warnings))
    except Exception as problem:
        # Whatever a killed child led to, the signal is the reason.
        error = StoppedError() if stop.asked else _explain(problem)
        return fail(error, {"warnings": warnings}), error.exit_code
    return outcome, 0 if outcome.succeeded else EXIT_FAILED


def _open_tools(job: Job, secrets: SecretFiles, stop: Stop) -> Tools:
    progress = Progress()
    serve_progress(progress, int(os.environ.get(PORT_VARIABLE, PORT)))
    programs = Programs(stop, job.scratch)
    restic = open_restic(job, programs, secrets)
    return Tools(job, programs, restic, secrets, stop, progress, now)


def _explain(problem: Exception) -> BackupError:
    if isinstance(problem, BackupError):
        return problem
    logger.exception("the run ended with an error of its own")
    if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
        mend = "give the Job's scratch volume more room"
        return BackupError(Reason.SCRATCH_FULL, f"no room is left: {problem}", mend)
    said = f"{type(problem).__name__}: {problem}"
    return BackupError(Reason.INTERNAL_ERROR, said, "report it with this Job's log")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
