"""The worker loop: wait for the database, then turn until told to stop."""

import threading
import time
from collections.abc import Callable

from trading_services.contract.control import ControlLink
from trading_services.contract.errors import (
    EXIT_FAILURE,
    EXIT_OK,
    EXIT_UNAVAILABLE,
    DependencyUnavailableError,
)
from trading_services.contract.heartbeat import Heartbeat
from trading_services.contract.logs import get_logger
from trading_services.contract.metrics import LoopMetrics
from trading_services.contract.service import Service, WorkerState
from trading_services.database.connection import UNAVAILABLE, Database
from trading_services.database.migrations import apply_migrations, find_unapplied

POLL_SECONDS = 1.0
_PAUSED_REST_SECONDS = 0.5
_LONGEST_REST_SECONDS = 1.0
_LONGEST_BACK_OFF_SECONDS = 10.0

_log = get_logger(__name__)


class WorkerLoop:
    """Runs a worker in a thread of its own and knows why it is not well."""

    def __init__(
        self,
        service: Service,
        control: ControlLink,
        heartbeat: Heartbeat,
        metrics: LoopMetrics,
        stopping: threading.Event,
    ) -> None:
        """Prepare the loop; `run` starts it."""
        self.exit_code = EXIT_OK
        self._worker = service.worker
        self._step_paused = service.step_paused or _stand_still
        self._control = control
        self._heartbeat = heartbeat
        self._metrics = metrics
        self._stopping = stopping
        self._trouble: str | None = "starting"
        self._failed_in_a_row = 0

    @property
    def paused(self) -> bool:
        """Tell whether the system controller wants this component paused."""
        return self._control.paused

    def trouble(self) -> str | None:
        """Return why the loop does not work now, or None."""
        return "stopping" if self._stopping.is_set() else self._trouble

    def describe(self) -> WorkerState:
        """Return the worker's state as its heartbeat row says it."""
        state = self._worker.describe()
        return WorkerState("Paused", state.detail) if self.paused else state

    def run(self, database: Database, wait_seconds: float, *, migrates: bool) -> None:
        """Wait for the database and its schema, turn until told to stop, then stop the worker."""
        try:
            self._prepare(database, wait_seconds, migrates=migrates)
            self._repeat_until_done(self._start)
            while not self._stopping.is_set():
                self._rest(self._attempt(self._turn))
            self._attempt(self._stop)
        except DependencyUnavailableError as error:
            _log.critical("dependency unavailable", error=str(error))
            self.exit_code = EXIT_UNAVAILABLE
        except Exception as error:
            # Outside a turn nothing is retried: the kubelet restarts the pod with its back-off.
            _log.critical("loop ended", error=str(error), exc_info=error)
            self.exit_code = EXIT_FAILURE
        finally:
            self._stopping.set()

    def _prepare(self, database: Database, wait_seconds: float, *, migrates: bool) -> None:
        deadline = time.monotonic() + wait_seconds
        while not self._stopping.is_set():
            self._heartbeat.beat()
            self._trouble = _find_trouble(database, migrates=migrates)
            if self._trouble is None:
                return
            _log.info("waiting", reason=self._trouble)
            if time.monotonic() >= deadline:
                raise DependencyUnavailableError(
                    f"gave up after {wait_seconds:g} s: {self._trouble}"
                )
            self._stopping.wait(POLL_SECONDS)

    def _repeat_until_done(self, work: Callable[[], float]) -> None:
        self._trouble = "starting"
        while not self._stopping.is_set():
            rest = self._attempt(work)
            if self._trouble is None:
                return
            self._rest(rest)

    def _attempt(self, work: Callable[[], float]) -> float:
        """Run one piece of work; an error is kept as the trouble and answered with a back-off."""
        self._heartbeat.beat()
        try:
            with self._metrics.turn_seconds.time():
                rest = work()
        except UNAVAILABLE as error:
            return self._fail(f"database unavailable: {str(error).strip()}", error)
        except Exception as error:
            return self._fail(f"{type(error).__name__}: {error}", error)
        self._trouble = None
        self._failed_in_a_row = 0
        return rest

    def _fail(self, trouble: str, error: Exception) -> float:
        self._trouble = trouble
        self._metrics.failures.inc()
        # One traceback a fault is enough: a fault that lasts repeats only its message.
        first = self._failed_in_a_row == 0 and not isinstance(error, UNAVAILABLE)
        _log.error("turn failed", error=trouble, exc_info=error if first else None)
        self._failed_in_a_row += 1
        return float(min(0.25 * 2**self._failed_in_a_row, _LONGEST_BACK_OFF_SECONDS))

    def _start(self) -> float:
        self._worker.start()
        _log.info("started")
        return 0.0

    def _turn(self) -> float:
        self._control.exchange_when_due(self._worker.describe())
        self._metrics.paused.set(self.paused)
        if self.paused:
            return self._step_paused()
        self._metrics.turns.inc()
        return self._worker.step()

    def _stop(self) -> float:
        self._worker.stop()
        self._control.exchange(WorkerState("Stopped", self._worker.describe().detail))
        return 0.0

    def _rest(self, seconds: float) -> None:
        """Rest in short parts, so that a long rest still beats."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            self._heartbeat.beat()
            self._stopping.wait(min(left, _LONGEST_REST_SECONDS))


def _stand_still() -> float:
    return _PAUSED_REST_SECONDS


def _find_trouble(database: Database, *, migrates: bool) -> str | None:
    try:
        if migrates:
            for name in apply_migrations(database):
                _log.info("migration applied", migration=name)
            return None
        missing = find_unapplied(database)
    except UNAVAILABLE as error:
        return f"database unavailable: {str(error).strip()}"
    return f"waiting for migrations: {', '.join(missing)}" if missing else None
