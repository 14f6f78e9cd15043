"""What kopf does: start-up, shutdown, login, and telling us of our own kinds."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from trading_operator.api.common import GROUP, VERSION
from trading_operator.controllers.registry import Registry
from trading_operator.controllers.runtime import Runtime
from trading_operator.lean_imports import hidden

with hidden("kubernetes"):  # kopf imports it for objects of it, which we never hand over
    import kopf

EXIT_SECONDS = 25.0
PAGE = 500


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers nothing in objects: we compare with the cluster, not with the last edit."""

    def build(self, **_: Any) -> Any:
        """Return an empty essence; the default one is a deep copy at each event."""
        return {}

    def fetch(self, **_: Any) -> Any:
        """Return that there is no former essence."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Remembers no progress in objects: handlers of events have none."""

    def fetch(self, **_: Any) -> Any:
        """Return that there is no progress."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Purge nothing."""

    def touch(self, **_: Any) -> None:
        """Touch nothing."""

    def clear(self, *, essence: Any) -> Any:
        """Return the essence as it is."""
        return essence


class _Patient(Iterable[float]):
    """Back-off without an end: an outage of the API server must not end the operator."""

    def __iter__(self) -> Iterator[float]:
        yield from (1, 1, 2, 3, 5, 8)
        while True:
            yield 13


@dataclass(frozen=True)
class Frame:
    """kopf's registry with our handlers, and the flag that ends the operator."""

    registry: kopf.OperatorRegistry
    stop: asyncio.Event


def build_frame(runtime: Runtime) -> Frame:
    """Build the handlers around a runtime."""
    frame = Frame(kopf.OperatorRegistry(), asyncio.Event())
    registry = frame.registry

    @kopf.on.startup(registry=registry)
    async def start(**_: Any) -> None:
        await runtime.start(frame.stop)

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await runtime.stop()
        # After a signal kopf would wait 5 s for its own task that waits for this flag.
        frame.stop.set()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # A session of its own: kopf closes it whenever it thinks that the login has expired.
        connection = runtime.connection
        return kopf.AiohttpSession(
            server=connection.server, aiohttp_session=connection.open_session()
        )

    for each in runtime.served.values():
        _add_events(registry, each.kind.resource.plural, each.registry)
    return frame


def _add_events(registry: kopf.OperatorRegistry, plural: str, known: Registry[Any]) -> None:
    @kopf.on.event(GROUP, VERSION, plural, registry=registry)
    async def wake(*, event: Any, **_: Any) -> None:
        known.take_event(event["type"], event["object"])


def build_kopf_settings() -> kopf.OperatorSettings:
    """Build settings under which kopf writes nothing and watches our kinds alone."""
    settings = kopf.OperatorSettings()
    settings.process.ultimate_exiting_timeout = EXIT_SECONDS
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _Patient()
    settings.watching.chunk_size = PAGE
    settings.queueing.idle_timeout = 0.5
    return settings


async def run_frame(frame: Frame, namespaces: tuple[str, ...]) -> None:
    """Run kopf until a signal or a failure ends it; no namespaces means all of them."""
    await kopf.operator(
        registry=frame.registry,
        settings=build_kopf_settings(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=frame.stop,
    )
