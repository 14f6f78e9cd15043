"""All parts of one operator process, put together and run."""

import asyncio
import contextlib
import functools
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace

from trading_operator import __version__
from trading_operator.controllers.deletion import end_trading_system
from trading_operator.controllers.loop import Loop
from trading_operator.controllers.system_metrics import (
    count_conditions,
    read_conditions,
    read_hibernated,
)
from trading_operator.controllers.systems import Systems, key_of_body
from trading_operator.controllers.trading_system import reconcile_trading_system
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.connection import Connection
from trading_operator.kube.elector import Elector, Terms
from trading_operator.kube.errors import ApiError
from trading_operator.kube.event_informer import EventInformer
from trading_operator.kube.events import EventPoster
from trading_operator.kube.informer import Informer
from trading_operator.kube.named import NamedReader
from trading_operator.kube.resources import CHILDREN, POD_EVENTS, PODS, TRADING_SYSTEMS
from trading_operator.kube.transport import METADATA_LIST, Call, Transport, items_of
from trading_operator.kube.work_queue import WorkQueue
from trading_operator.metrics import Metrics, Rows
from trading_operator.settings import Settings

AUDIT_SECONDS = 300.0
CRD_SECONDS = 2.0
_RIGHTS = (
    "grant the operator's service account the roles of the chart (rbac.create), or set "
    "watchNamespaces to the namespaces in which it has them"
)
_WAYS_OUT = {
    401: "renew the credentials with which the operator talks to the API server",
    403: _RIGHTS,
    404: "install the CRDs (kubectl apply --server-side -f crds/)",
}

_log = logging.getLogger(__name__)


class Runtime:
    """One replica: its informers are always warm, its passes run while it leads."""

    def __init__(
        self,
        settings: Settings,
        operand: OperandSettings,
        connection: Connection,
        metrics: Metrics,
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.failed = False
        self.queue: WorkQueue[Key] = WorkQueue()
        self.systems = Systems(self.queue.wake, self._forget)
        terms = _terms(settings)
        self.connection = replace(connection, unacknowledged=terms.unacknowledged)
        self.transport = Transport(self.connection, metrics, settings.requests)
        self.kube = Kube(
            self.transport,
            self._build_cache(),
            NamedReader(self.transport),
            CapacityReader(self.transport),
        )
        self.elector = Elector(self.transport, terms)
        self.transport.fence_writes(self.elector.leads)
        self.events = EventPoster(self.transport, settings.pod_name, metrics)
        self.informers = self._build_informers()
        self.loop = Loop(
            kube=self.kube,
            systems=self.systems,
            queue=self.queue,
            reconcile=functools.partial(reconcile_trading_system, self.kube, operand),
            end=functools.partial(end_trading_system, self.kube, operand),
            events=self.events,
            metrics=metrics,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._bind_gauges()

    async def start(self, stop: asyncio.Event) -> None:
        """Start everything and wait for our CRD; `stop` is set when a part ends by an error."""
        for informer in self.informers:
            self._spawn(informer.run(), stop)
        await self._wait_for_crd()
        self._spawn(self._audit(), stop)
        self._spawn(self.elector.run(self._lead), stop)

    async def stop(self) -> None:
        """Stop everything, give the Lease back and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.transport.close()

    def problems(self) -> list[str]:
        """Say why this replica is not ready; nothing when it is."""
        found = []
        for informer in self.informers:
            health = informer.health()
            if not health.synced:
                found.append(f"watch of {health.watch} has not listed yet: {health.error}")
            elif health.stalled:
                found.append(f"watch of {health.watch} has stalled: {health.error}")
        return found

    async def _lead(self) -> None:
        self.metrics.leads.inc()
        await asyncio.gather(*(informer.synced.wait() for informer in self.informers))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.loop.run(self.settings.concurrency))
            group.create_task(self.events.run())

    def _spawn(self, work: Coroutine[None, None, None], stop: asyncio.Event) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(functools.partial(self._note_end, stop))

    def _note_end(self, stop: asyncio.Event, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical("a part of the operator failed", exc_info=error)
            self.failed = True
            stop.set()

    def _build_informers(self) -> list[Informer]:
        namespaces: tuple[str | None, ...] = self.settings.watch_namespaces or (None,)
        watched = [
            Informer(self.transport, self.kube.cache, resource, namespace, self.metrics)
            for resource in (*CHILDREN, PODS)
            for namespace in namespaces
        ]
        probes = self.kube.cache.probes
        events = (
            EventInformer(self.transport, probes, POD_EVENTS, namespace, self.metrics)
            for namespace in namespaces
        )
        return [*watched, *events]

    def _bind_gauges(self) -> None:
        # The queue of a standby fills without anybody who would take from it.
        leads = self.elector.leads
        self.metrics.queue_depth.set_function(lambda: self.queue.depth if leads() else 0)
        self.metrics.queue_oldest.set_function(lambda: self.queue.oldest if leads() else 0)
        self.metrics.systems.set_function(lambda: len(self.systems))
        self.metrics.leader.set_function(lambda: float(leads()))
        self.metrics.build.labels(__version__).set(1)
        self.metrics.watch_silence.read_from(self._read_silence)
        self.metrics.cache_objects.read_from(self._read_cache)
        self.metrics.systems_by_condition.read_from(self._told(count_conditions))
        self.metrics.system_condition.read_from(self._told(read_conditions))
        self.metrics.system_hibernated.read_from(self._told(read_hibernated))

    def _read_silence(self) -> Rows:
        return [(informer.watched, informer.silence()) for informer in self.informers]

    def _read_cache(self) -> Rows:
        return [((kind,), count) for kind, count in self.kube.cache.count_by_kind().items()]

    def _told(self, read: Callable[[Systems], Rows]) -> Callable[[], Rows]:
        """Build a reader that tells of the systems while this replica leads, else nothing."""
        return lambda: read(self.systems) if self.elector.leads() else ()

    def _build_cache(self) -> Cache:
        return Cache(self._wake, functools.partial(self._wake, urgent=True))

    def _wake(self, key: Key, *, urgent: bool = False) -> None:
        if key in self.systems:
            self.queue.wake(key, urgent)

    def _forget(self, key: Key) -> None:
        self.queue.forget(key)
        self.kube.forget(key)
        self.loop.pace.forget(key)

    async def _wait_for_crd(self) -> None:
        call = Call("list", TRADING_SYSTEMS, self._some_namespace(), params={"limit": "1"})
        while True:
            try:
                await self.transport.send(call)
                return
            except ApiError as error:
                _log.warning(
                    "TradingSystems cannot be read yet: %s",
                    _WAYS_OUT.get(error.status, "the API server must answer first"),
                    extra={"error": str(error)},
                )
                await asyncio.sleep(CRD_SECONDS)

    async def _audit(self) -> None:
        """Forget the systems whose deletion the watch has missed while it was broken."""
        while True:
            await asyncio.sleep(AUDIT_SECONDS)
            self.kube.named.forget_old()
            self.kube.cache.forget_bereft(self.systems)
            with contextlib.suppress(ApiError):  # the next round comes
                await self._audit_once()

    async def _audit_once(self) -> None:
        known = {key: self.systems.look_at(key) for key in self.systems}
        started = time.monotonic()
        present = set()
        for namespace in self.settings.watch_namespaces or (None,):
            call = Call("list", TRADING_SYSTEMS, namespace, accept=METADATA_LIST)
            answer = await self.transport.send(call)
            present |= {(key_of_body(each), each["metadata"]["uid"]) for each in items_of(answer)}
        for key, system in known.items():
            if system is not None and (key, system.uid) not in present:
                self.systems.remove(key, system.uid)
        _log.debug("audited", extra={"seconds": time.monotonic() - started})

    def _some_namespace(self) -> str | None:
        return next(iter(self.settings.watch_namespaces), None)


def _terms(settings: Settings) -> Terms:
    # A pod's name is unique, a StatefulSet's or a developer's host name is not over time.
    identity = f"{settings.pod_name}_{uuid.uuid4().hex[:8]}"
    return Terms(settings.lease_namespace, settings.lease_name, identity, settings.lease_seconds)
