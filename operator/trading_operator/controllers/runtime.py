"""All parts of one operator process, put together and run."""

import asyncio
import contextlib
import functools
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar

from trading_operator import __version__
from trading_operator.controllers.backups import Number, build_backups
from trading_operator.controllers.kind import Kind
from trading_operator.controllers.kind_metrics import (
    BACKUP_TYPES,
    TRAINING_TYPES,
    read_kind_conditions,
    read_numbers,
    read_waits,
)
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.restores import build_restores
from trading_operator.controllers.served import Served
from trading_operator.controllers.system_metrics import (
    count_conditions,
    read_conditions,
    read_hibernated,
)
from trading_operator.controllers.trading_systems import (
    Systems,
    build_trading_systems,
)
from trading_operator.controllers.training_jobs import TrainingFacts, build_training_jobs
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.connection import Connection
from trading_operator.kube.elector import Elector, Terms
from trading_operator.kube.errors import ApiError
from trading_operator.kube.event_informer import EventInformer, OptionalInformer
from trading_operator.kube.events import EventPoster
from trading_operator.kube.informer import Informer
from trading_operator.kube.listing import list_all
from trading_operator.kube.named import NamedReader
from trading_operator.kube.resources import (
    CHILDREN,
    OPTIONAL,
    POD_EVENTS,
    PODS,
    TRADING_SYSTEMS,
    Resource,
)
from trading_operator.kube.transport import METADATA_LIST, Call, Transport, items_of
from trading_operator.metrics import Metrics, Rows
from trading_operator.settings import Settings

AUDIT_SECONDS = 300.0
CRD_SECONDS = 2.0
CRD_TRIES = 3
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
F = TypeVar("F")


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
        self.neighbours = Neighbours()
        self.systems = self._serve(build_trading_systems(self.kube, operand, self.neighbours))
        self.backups = self._serve(build_backups(self.kube, operand, self.neighbours))
        self.restores = self._serve(build_restores(self.kube, operand, self.neighbours))
        self.trainings = self._serve(build_training_jobs(self.kube, operand, self.neighbours))
        everything = (self.systems, self.backups, self.restores, self.trainings)
        self.served: dict[str, Served[Any]] = {each.kind.resource.kind: each for each in everything}
        self._tasks: list[asyncio.Task[None]] = []
        self._bind_gauges()

    def _serve(self, kind: Kind[F]) -> Served[F]:
        served = Served(kind, self.kube, self.events, self.metrics)
        self.neighbours.introduce(served)
        return served

    async def start(self, stop: asyncio.Event) -> None:
        """Start everything and wait for our CRD; `stop` is set when a part ends by an error."""
        for informer in self.informers:
            self._spawn(informer.run(), stop)
        await self._wait_for_definitions()
        self._spawn(self._audit(), stop)
        self._spawn(self.elector.run(self._lead), stop)

    async def stop(self) -> None:
        """Stop everything, give the Lease back and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.kube.progress.close()
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
        for served in (self.backups, self.restores, self.trainings):
            await self._catch_up(served)
        async with asyncio.TaskGroup() as group:
            for each in self.served.values():
                group.create_task(each.loop.run(self.settings.concurrency))
            group.create_task(self.events.run())

    async def _catch_up(self, served: Served[Any]) -> None:
        """Learn of all that systems look at before the first pass over one of them.

        A system that does not know yet of a Restore would start what that one has stopped.
        """
        while True:
            try:
                for namespace in self.settings.watch_namespaces or (None,):
                    async for body in list_all(self.transport, served.kind.resource, namespace):
                        served.registry.store(body)
                return
            except ApiError as error:
                if error.status in (403, 404):
                    return  # they are not served, and it was said so
                kind = served.kind.resource.kind
                _log.warning("%ss are not listed yet", kind, extra={"error": str(error)})
            await asyncio.sleep(CRD_SECONDS)

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
            (OptionalInformer if resource in OPTIONAL else Informer)(
                self.transport, self.kube.cache, resource, namespace, self.metrics
            )
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
        leads, queues = self.elector.leads, [each.queue for each in self.served.values()]
        self.metrics.queue_depth.set_function(
            lambda: sum(queue.depth for queue in queues) if leads() else 0
        )
        self.metrics.queue_oldest.set_function(
            lambda: max(queue.oldest for queue in queues) if leads() else 0
        )
        self.metrics.systems.set_function(lambda: len(self.systems.registry))
        self.metrics.leader.set_function(lambda: float(leads()))
        self.metrics.build.labels(__version__).set(1)
        self.metrics.watch_silence.read_from(self._read_silence)
        self.metrics.cache_objects.read_from(self._read_cache)
        self.metrics.systems_by_condition.read_from(self._told(count_conditions))
        self.metrics.system_condition.read_from(self._told(read_conditions))
        self.metrics.system_hibernated.read_from(self._told(read_hibernated))
        self._bind_backup_gauges()
        self._bind_training_gauges()

    def _bind_backup_gauges(self) -> None:
        leads, registry = self.elector.leads, self.backups.registry
        self.metrics.backups.set_function(lambda: len(registry))
        self.metrics.backup_condition.read_from(
            lambda: read_kind_conditions(registry, BACKUP_TYPES) if leads() else ()
        )
        numbers: dict[str, Number] = {
            "last_success_timestamp_seconds": lambda facts: facts.last_success,
            "last_verified_restore_timestamp_seconds": lambda facts: facts.last_verified_restore,
            "size_bytes": lambda facts: facts.bytes,
            "rpo_seconds": lambda facts: facts.rpo_seconds,
            "rto_seconds": lambda facts: facts.rto_seconds,
            "missed_runs": lambda facts: facts.missed_runs,
            "last_missed_run_timestamp_seconds": lambda facts: facts.last_missed_run,
            "first_run": lambda facts: facts.is_first_run,
        }
        for name, number in numbers.items():
            read = functools.partial(read_numbers, registry, number)
            self.metrics.backup_numbers[name].read_from(self._while_leading(read))

    def _bind_training_gauges(self) -> None:
        leads, registry = self.elector.leads, self.trainings.registry
        self.metrics.training_jobs.set_function(lambda: len(registry))
        self.metrics.training_condition.read_from(
            lambda: read_kind_conditions(registry, TRAINING_TYPES) if leads() else ()
        )
        self.metrics.training_waiting.read_from(
            lambda: read_waits(registry, lambda facts: facts.waits_for) if leads() else ()
        )
        numbers: dict[str, Callable[[TrainingFacts], float | None]] = {
            "last_success_timestamp_seconds": lambda facts: facts.last_success,
            "model_promoted_timestamp_seconds": lambda facts: facts.promoted_at,
            "model_expires_timestamp_seconds": lambda facts: facts.expires_at,
            "model_rollbacks": lambda facts: facts.rolled_back,
            "model_last_rollback_timestamp_seconds": lambda facts: facts.last_rollback,
            "missed_runs": lambda facts: facts.missed_runs,
            "running": lambda facts: facts.is_running,
        }
        for name, number in numbers.items():
            read = functools.partial(read_numbers, registry, number)
            self.metrics.training_numbers[name].read_from(self._while_leading(read))

    def _while_leading(self, read: Callable[[], Rows]) -> Callable[[], Rows]:
        return lambda: read() if self.elector.leads() else ()

    def _read_silence(self) -> Rows:
        return [(informer.watched, informer.silence()) for informer in self.informers]

    def _read_cache(self) -> Rows:
        return [((kind,), count) for kind, count in self.kube.cache.count_by_kind().items()]

    def _told(self, read: Callable[[Systems], Rows]) -> Callable[[], Rows]:
        """Build a reader that tells of the systems while this replica leads, else nothing."""
        return lambda: read(self.systems.registry) if self.elector.leads() else ()

    def _build_cache(self) -> Cache:
        return Cache(self._wake, functools.partial(self._wake, urgent=True))

    def _wake(self, key: Key, *, urgent: bool = False) -> None:
        if key.kind in self.served:
            self.served[key.kind].wake(key, urgent=urgent)

    async def _wait_for_definitions(self) -> None:
        """Wait for the definition of trading systems, and for a moment for those of the others.

        Who upgrades the operator before its definitions has trading systems served all the same.
        """
        await self._wait_for_crd()
        for each in self.served.values():
            if each is not self.systems:
                await self._look_for_definition(each.kind.resource)

    async def _look_for_definition(self, resource: Resource) -> None:
        call = Call("list", resource, self._some_namespace(), params={"limit": "1"})
        for _ in range(CRD_TRIES):
            try:
                await self.transport.send(call)
                return
            except ApiError as error:
                why = error
            await asyncio.sleep(CRD_SECONDS)
        _log.warning(
            "%ss are not served: %s, then restart the operator",
            resource.kind,
            _WAYS_OUT.get(why.status, "see that the API server answers"),
            extra={"error": str(why)},
        )

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
        """Forget the resources whose deletion the watch has missed while it was broken."""
        while True:
            await asyncio.sleep(AUDIT_SECONDS)
            self.kube.named.forget_old()
            registries = (each.registry for each in self.served.values())
            self.kube.cache.forget_bereft(chain.from_iterable(registries))
            for each in self.served.values():
                with contextlib.suppress(ApiError):  # the next round comes
                    await self._audit_once(each)

    async def _audit_once(self, served: Served[Any]) -> None:
        registry, resource = served.registry, served.kind.resource
        known = {key: registry.look_at(key) for key in registry}
        started = time.monotonic()
        present = set()
        for namespace in self.settings.watch_namespaces or (None,):
            call = Call("list", resource, namespace, accept=METADATA_LIST)
            answer = await self.transport.send(call)
            present |= {
                (registry.key_of(each), each["metadata"]["uid"]) for each in items_of(answer)
            }
        for key, each in known.items():
            if each is not None and (key, each.uid) not in present:
                registry.remove(key, each.uid)
        seconds = time.monotonic() - started
        _log.debug("audited", extra={"kind": resource.kind, "seconds": seconds})

    def _some_namespace(self) -> str | None:
        return next(iter(self.settings.watch_namespaces), None)


def _terms(settings: Settings) -> Terms:
    # A pod's name is unique, a StatefulSet's or a developer's host name is not over time.
    identity = f"{settings.pod_name}_{uuid.uuid4().hex[:8]}"
    return Terms(settings.lease_namespace, settings.lease_name, identity, settings.lease_seconds)
