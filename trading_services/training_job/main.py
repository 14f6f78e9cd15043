"""`trading-services train`: reads its job file, trains, and says how it ended."""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

from pydantic import SecretStr

from trading_services.contract.errors import ConfigError
from trading_services.contract.logs import LoggingConfig, configure_logging, get_logger
from trading_services.database.connection import (
    UNAVAILABLE,
    Database,
    DatabaseAddress,
    bound_answers,
)
from trading_services.database.migrations import apply_migrations
from trading_services.training_job.answer import build_failure, write_answer
from trading_services.training_job.errors import (
    EXIT_AGAIN,
    EXIT_PERMANENT,
    FencedError,
    PermanentError,
    StoppedError,
)
from trading_services.training_job.job_file import JobFile, read_job_file
from trading_services.training_job.progress import PORT, Progress, serve_progress
from trading_services.training_job.training import read_features, train

_WAIT_SECONDS = 60.0
_STOPPED = 143  # as a shell says of a program that was asked to stop

_log = get_logger(__name__)


def main(*, check_only: bool = False) -> int:
    """Run one training and return the exit code: 42 of what no repetition mends."""
    configure_logging(LoggingConfig(), "train", Path("/nonexistent"))
    try:
        return _run(check_only=check_only)
    except PermanentError as error:
        _log.critical("training refused", reason=error.reason, problem=error.message)
        write_answer(build_failure(error.reason, error.message))
        return EXIT_PERMANENT
    except ConfigError as error:
        _log.critical("configuration refused", problem=str(error))
        write_answer(build_failure("InvalidConfiguration", str(error)))
        return EXIT_PERMANENT
    except StoppedError as error:
        _log.warning("stopped", where=str(error))
        return _STOPPED
    except FencedError as error:
        _log.error("fenced off", problem=str(error))
        return EXIT_AGAIN
    except UNAVAILABLE as error:
        _log.error("the database is away", error=str(error))
        write_answer(build_failure("DatabaseUnavailable", f"database: {error}"))
        return EXIT_AGAIN


def _run(*, check_only: bool) -> int:
    stopping = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # The command line blocks them until somebody can take them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    job = read_job_file(Path(os.environ.get("TRADING_TRAINING_JOB", "")))
    features = read_features(Path(os.environ.get("CONFIG_DIR", "/app/config")))
    if check_only:
        _log.info("job file accepted", job=job.job)
        return 0
    progress = Progress()
    serve_progress(progress, int(os.environ.get("PROGRESS_PORT", str(PORT))))
    bound_answers()
    database = _connect(job, stopping)
    answer = train(database, job, features, progress, stopping.is_set)
    database.close()
    write_answer(answer)
    return 0


def _connect(job: JobFile, stopping: threading.Event) -> Database:
    """Return the database once it answers and has its tables; raises what psycopg2 raises."""
    where = job.database
    try:
        password = where.password_file.read_text().rstrip("\r\n")
    except OSError as error:
        raise PermanentError(
            "NoPassword", f"database.passwordFile: {where.password_file} ({error.strerror})"
        ) from None
    address = DatabaseAddress(
        host=where.host,
        port=where.port,
        user=where.user,
        database=where.name,
        password=SecretStr(password),
        application_name="train",
    )
    database, deadline = Database(address), time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            apply_migrations(database)
            return database
        except UNAVAILABLE:
            if stopping.is_set() or time.monotonic() > deadline:
                raise
        stopping.wait(1.0)
