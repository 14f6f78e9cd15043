"""`trading-services train`: reads its job file, trains, and says how it ended."""

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from psycopg2.errors import QueryCanceled
from pydantic import SecretStr

from trading_services.contract.errors import ConfigError
from trading_services.contract.logs import LoggingConfig, configure_logging, get_logger
from trading_services.database.connection import (
    UNAVAILABLE,
    Database,
    DatabaseAddress,
    bound_answers,
)
from trading_services.database.migrations import MigrationError, apply_migrations
from trading_services.training_job.answer import build_failure, write_answer
from trading_services.training_job.errors import (
    EXIT_AGAIN,
    EXIT_PERMANENT,
    DeviceMissingError,
    FencedError,
    PermanentError,
    StoppedError,
)
from trading_services.training_job.job_file import JobFile, read_job_file
from trading_services.training_job.patience import wait_for_database
from trading_services.training_job.progress import PORT, Progress, serve_progress
from trading_services.training_job.trainers import read_trainer
from trading_services.training_job.training import read_features, train

_STOPPED = 143  # as a shell says of a program that was asked to stop

_log = get_logger(__name__)


@dataclass(frozen=True)
class _Ending:
    """How a program that failed ends; without a reason it leaves no answer behind."""

    code: int
    reason: str
    message: str


_ENDINGS = (
    PermanentError,
    ConfigError,
    MigrationError,
    DeviceMissingError,
    StoppedError,
    FencedError,
    OSError,
    *UNAVAILABLE,
)


def main(*, check_only: bool = False) -> int:
    """Run one training and return the exit code: 42 of what no repetition mends."""
    configure_logging(LoggingConfig(), "train", Path("/nonexistent"))
    try:
        return _run(check_only=check_only)
    except _ENDINGS as error:
        ending = _build_ending(error)
    _log.error("no version", reason=ending.reason, problem=ending.message, exit_code=ending.code)
    if ending.reason:
        write_answer(build_failure(ending.reason, ending.message))
    return ending.code


def _build_ending(error: Exception) -> _Ending:
    match error:
        case PermanentError():
            ending = _Ending(EXIT_PERMANENT, error.reason, error.message)
        case ConfigError():
            ending = _Ending(EXIT_PERMANENT, "InvalidConfiguration", str(error))
        case DeviceMissingError():
            ending = _Ending(EXIT_AGAIN, "DeviceMissing", str(error))
        case StoppedError():
            ending = _Ending(_STOPPED, "", str(error))
        case FencedError():
            ending = _Ending(EXIT_AGAIN, "", str(error))
        case OSError():
            full = f"volume: {error}; make room on the models volume, or mend it"
            ending = _Ending(EXIT_AGAIN, "VolumeFailed", full)
        case _:
            ending = _build_database_ending(error, " ".join(str(error).split()))
    return ending


def _build_database_ending(error: Exception, told: str) -> _Ending:
    match error:
        case MigrationError():
            ending = _Ending(EXIT_PERMANENT, "DatabaseMismatch", f"image: {told}")
        case QueryCanceled():
            slow = f"database: {told}; narrow dataset.from and dataset.to, or give it more CPU"
            ending = _Ending(EXIT_AGAIN, "QueryTooSlow", slow)
        case _:
            away = f"database: {told}; have it answer, the training goes on where it is"
            ending = _Ending(EXIT_AGAIN, "DatabaseUnavailable", away)
    return ending


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
    read_trainer(job.trainer, job.hyperparameters, job.seed)
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
    database = Database(address)
    wait_for_database(lambda: apply_migrations(database), stopping.is_set)
    return database
