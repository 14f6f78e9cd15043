"""What a component is made of: its settings, its worker, its readiness checks, its routes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry
from starlette.routing import Route

from trading_services.contract.heartbeat import Heartbeat
from trading_services.contract.readiness import ReadinessCheck
from trading_services.contract.settings import ServiceSettings
from trading_services.database.connection import Database

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


@dataclass(frozen=True)
class WorkerState:
    """What a worker says of itself: one word, and facts that go into its heartbeat row."""

    state: str = "Running"
    detail: dict[str, Any] = field(default_factory=dict)


class Worker(Protocol):
    """The work of a service; every method runs in the loop's thread, `describe` in any.

    A lost database may be raised from any of them: the loop logs it and tries again.
    """

    def start(self) -> None:
        """Prepare, once the database answers and its schema is there; repeated until it returns."""

    def step(self) -> float:
        """Do one turn of work and return the seconds to rest before the next one."""

    def stop(self) -> None:
        """Finish what must be finished before the process ends."""

    def describe(self) -> WorkerState:
        """Say how things stand; must not block."""


@dataclass(frozen=True)
class Service:
    """A built service, ready to run.

    `step_paused` takes the place of the worker's step while the component is paused, for what must
    go on then.
    """

    worker: Worker
    checks: Sequence[ReadinessCheck] = ()
    routes: Sequence[Route] = ()
    step_paused: Callable[[], float] | None = None


@dataclass(frozen=True)
class Runtime(Generic[SettingsT]):
    """What the frame gives to a component's `build`."""

    component: str
    settings: SettingsT
    database: Database
    registry: CollectorRegistry
    heartbeat: Heartbeat
    stopping: threading.Event


@dataclass(frozen=True)
class Component(Generic[SettingsT]):
    """A component's fixed facts; its module offers one as `COMPONENT`.

    `build` reads configuration (ConfigError ends the process with code 78) and must not connect to
    anything. `migrates` is for the system controller alone: the others wait for the schema.
    """

    name: str
    port: int
    settings: type[SettingsT]
    build: Callable[[Runtime[SettingsT]], Service]
    migrates: bool = False
