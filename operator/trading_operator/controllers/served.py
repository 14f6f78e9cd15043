"""One kind that is served: what is known of it, whose turn it is, and the loop over it."""

from typing import Generic, TypeVar

from trading_operator.controllers.kind import Kind
from trading_operator.controllers.loop import Loop
from trading_operator.controllers.registry import Registry
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Key
from trading_operator.kube.events import EventPoster
from trading_operator.kube.work_queue import WorkQueue
from trading_operator.metrics import Metrics

F = TypeVar("F")


class Served(Generic[F]):
    """A kind with a registry, a queue and a loop of its own: no kind waits for another."""

    def __init__(self, kind: Kind[F], kube: Kube, events: EventPoster, metrics: Metrics) -> None:
        self.kind = kind
        self.queue: WorkQueue[Key] = WorkQueue()
        self.registry = Registry(
            kind.resource.kind, kind.read_facts, self.queue.wake, self.forget, kind.changed
        )
        self.loop = Loop(kube, self.registry, self.queue, kind, events, metrics)
        self._kube = kube

    def wake(self, key: Key, *, urgent: bool = False) -> None:
        """Have a known resource looked at now."""
        if key in self.registry:
            self.queue.wake(key, urgent and self.kind.urgent)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self.queue.forget(key)
        self._kube.forget(key)
        self.loop.pace.forget(key)
