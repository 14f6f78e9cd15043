"""Takes due resources from a queue and passes over each; no error of one reaches another."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trading_operator.api.reasons import (
    CHANGE_FAILED,
    INTERNAL_ERROR,
    RECONCILING,
    RETRYING,
)
from trading_operator.controllers.failed_pass import failed_status
from trading_operator.controllers.kind import Kind, Parting
from trading_operator.controllers.pace import Pace
from trading_operator.controllers.parse import parse_owner
from trading_operator.controllers.registry import Body, Registry
from trading_operator.controllers.report import Report
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Key
from trading_operator.kube.errors import ApiError, NotLeadingError
from trading_operator.kube.events import EventPoster
from trading_operator.kube.finalizer import has_finalizer, release_finalizer
from trading_operator.kube.read import read_owner
from trading_operator.kube.status import write_status
from trading_operator.kube.transport import is_urgent
from trading_operator.kube.work_queue import WorkQueue
from trading_operator.metrics import Metrics
from trading_operator.plan.types import InvalidSpecError

PASS_SECONDS = 120.0
# Everything is looked at this often even if nothing seems to happen.
RESYNC_SECONDS = 300.0
# They take what is urgent alone: ways back do not wait for other systems.
URGENT_WORKERS = 2
REFUSED_SECONDS = 30.0
# A mishap that passes by itself is not worth a write; one that lasts is told in the status.
TOLD_AFTER_TIMES = 4
TOLD_AFTER_SECONDS = 15.0
_MESSAGE_LENGTH = 2048

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loop:
    """One pass after another over the resources of a kind that are due, several at a time."""

    kube: Kube
    known: Registry[Any]
    queue: WorkQueue[Key]
    kind: Kind[Any]
    events: EventPoster
    metrics: Metrics
    pace: Pace = field(default_factory=Pace)

    async def run(self, workers: int) -> None:
        """Pass over what is due for ever; all that is known is due at first."""
        for key in self.known:
            self.queue.wake(key)
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work())
            for _ in range(URGENT_WORKERS if self.kind.urgent else 0):
                group.create_task(self._work(urgent=True))

    async def _work(self, *, urgent: bool = False) -> None:
        while True:
            key = await self.queue.take(urgent=urgent)
            token = is_urgent.set(self.queue.is_urgent(key))
            try:
                await self.reconcile_once(key)
            finally:
                is_urgent.reset(token)
                self.queue.release(key)

    async def reconcile_once(self, key: Key) -> None:
        """Pass over one resource; every error ends here."""
        started = time.monotonic()
        try:
            result = await self._try_pass(key)
        except Exception:
            _log.exception("pass failed", extra={"system": key})
            self.metrics.failures.labels(INTERNAL_ERROR).inc()
            result = self._retry(key, "error", {})
        self.metrics.reconciles.labels(result).inc()
        self.metrics.reconcile_seconds.observe(time.monotonic() - started)

    async def _try_pass(self, key: Key) -> str:
        try:
            async with asyncio.timeout(PASS_SECONDS):
                return await self._pass(key)
        except NotLeadingError:
            return "not_leading"  # the next leader looks at everything
        except TimeoutError:
            self.metrics.failures.labels("Timeout").inc()
            return await self._retry_told(key, "timeout", f"no end after {PASS_SECONDS} s")
        except ApiError as error:
            self.metrics.failures.labels(error.reason).inc()
            return await self._retry_told(key, "api_error", str(error))

    async def _pass(self, key: Key) -> str:
        body = self.known.get(key)
        if body is None:
            return "gone"
        if "deletionTimestamp" in body["metadata"]:
            parting = self.kind.parting
            return "gone" if parting is None else await self._end(key, body, parting)
        if not await self._still_there(key, body):
            return "gone"
        result, report = await self._reconcile(key, body)
        if report.body is not None:
            body = report.body
            self.known.store(body)
        self.events.post(body, report.events)
        held = self._held(key, body, report.status)
        if held is None:
            await self._report(key, body, report.status)
        self._schedule(key, report.due_in, held)
        return result

    async def _end(self, key: Key, body: Body, parting: Parting) -> str:
        """Go on with the ordered stop of a deleted resource; then all goes by owner references."""
        if not has_finalizer(body):
            return "gone"
        now = datetime.now(UTC)
        # However the pass ends: nothing is waited for past the deadline.
        self.queue.wake_after(key, max(1.0, parting.seconds_left(body, now)))
        farewell = await parting.end(body, now)
        self.queue.settle(key)
        if farewell.report is not None:
            await self._report(key, body, farewell.report.status)
            self._schedule(key, farewell.report.due_in)
            return "stopping"
        self.events.post(body, farewell.events)
        await release_finalizer(self.kube.transport, body)
        return "gone"

    async def _reconcile(self, key: Key, body: Body) -> tuple[str, Report]:
        now = datetime.now(UTC)
        generation = body["metadata"].get("generation", 0)
        try:
            report = await self.kind.reconcile(body, now)
        except InvalidSpecError as error:
            self.queue.settle(key)
            refused = self.kube.refusals.due_in(key) is not None
            previous = self.kind.known_status(self.kube, body)
            status = self.kind.invalid_status(parse_owner(body), error, previous, now)
            return "invalid", Report(status, REFUSED_SECONDS if refused else None)
        except ApiError as error:
            if not error.refused:
                raise
            self.metrics.failures.labels(error.reason).inc()
            failure = (error.reason, f"the API server refuses: {error.message}")
            previous = self.kind.known_status(self.kube, body)
            status = failed_status(previous, generation, failure, now)
            return "refused", Report(status, REFUSED_SECONDS)
        except (NotLeadingError, TimeoutError):
            raise
        except Exception as error:
            await self._report_crash(key, body, error, now)
            raise
        self.queue.settle(key)
        return "success", report

    async def _report_crash(self, key: Key, body: Body, error: Exception, now: datetime) -> None:
        # The type alone: a message may hold values that belong into no status.
        message = f"the operator failed with {type(error).__name__}: see its log"
        generation = body["metadata"].get("generation", 0)
        status = failed_status(body.get("status"), generation, (INTERNAL_ERROR, message), now)
        await self._try_report(key, body, status)

    async def _report_trouble(self, key: Key, error: str) -> None:
        body = self.known.get(key)
        if body is None or ("deletionTimestamp" in body["metadata"] and not has_finalizer(body)):
            return
        message = f"tried again and again, the last time: {error}"[:_MESSAGE_LENGTH]
        generation = body["metadata"].get("generation", 0)
        previous, now = self.kind.known_status(self.kube, body), datetime.now(UTC)
        status = failed_status(previous, generation, (RETRYING, message), now, RECONCILING)
        await self._try_report(key, body, status)

    async def _try_report(self, key: Key, body: Body, status: dict[str, Any]) -> None:
        try:
            await self._report(key, body, status)
        except (ApiError, NotLeadingError) as error:
            _log.warning("failure not reported", extra={"system": key, "error": str(error)})

    async def _still_there(self, key: Key, body: Body) -> bool:
        """Ask whether a resource that lost a child to somebody else is itself still there."""
        if key not in self.kube.cache.bereft:
            return True
        owner = parse_owner(body)
        live = await read_owner(self.kube, owner)
        self.kube.cache.bereft.discard(key)
        if live is None:
            self.known.remove(key, owner.uid)
        elif "deletionTimestamp" in live["metadata"]:
            self.known.take_event(None, live)  # the watch has not said so yet
        else:
            return True
        return False

    async def _report(self, key: Key, body: Body, status: dict[str, Any]) -> None:
        try:
            written = await write_status(self.kube.transport, body, status)
        except ApiError as error:
            if error.status != 404:
                raise
            self.known.remove(key, body["metadata"]["uid"])
            return
        if written is not None:
            self.pace.written(key)
            self.known.store(written)
            told = self.kind.tell(body.get("status"), status)
            self.metrics.rollbacks.inc(sum(each.reason == CHANGE_FAILED for each in told))
            self.events.post(written, told)

    def _held(self, key: Key, body: Body, status: dict[str, Any]) -> float | None:
        """Return for how long a changed status is held back; None when it is not."""
        previous = body.get("status") or {}
        return None if previous == status else self.pace.hold(key, previous, status) or None

    def _schedule(self, key: Key, *due_in: float | None) -> None:
        resync = RESYNC_SECONDS * random.uniform(0.8, 1.2)
        self.queue.wake_after(key, min(each for each in (resync, *due_in) if each is not None))

    async def _retry_told(self, key: Key, result: str, error: str) -> str:
        """Have a pass repeated, and say so in the status when this has gone on for a while."""
        self._retry(key, result, {"error": error})
        failing = self.queue.failing(key)
        if failing.times >= TOLD_AFTER_TIMES or failing.seconds >= TOLD_AFTER_SECONDS:
            await self._report_trouble(key, error)
        return result

    def _retry(self, key: Key, result: str, details: dict[str, str]) -> str:
        seconds = self.queue.retry(key)
        _log.warning("pass to be repeated", extra={"system": key, "after": seconds, **details})
        return result
