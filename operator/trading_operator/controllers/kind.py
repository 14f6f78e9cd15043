"""What is particular about one kind of resource; the loop over it is the same for all kinds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from trading_operator.api.errors import InvalidSpecError
from trading_operator.controllers.registry import Body
from trading_operator.controllers.report import Farewell, Report
from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Key
from trading_operator.kube.resources import Resource
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.event_text import EventText

Status = dict[str, Any]
Previous = Mapping[str, Any] | None
F = TypeVar("F")


@dataclass(frozen=True)
class Parting:
    """How resources go that wait for the operator when they are deleted."""

    end: Callable[[Body, datetime], Awaitable[Farewell]]
    seconds_left: Callable[[Body, datetime], float]  # until it goes in any case


@dataclass(frozen=True)
class Kind(Generic[F]):
    """One kind of resource: how it is passed over, and what is told of it."""

    resource: Resource
    read_facts: Callable[[Body], F]  # of a body, what is asked for often and of all of them
    reconcile: Callable[[Body, datetime], Awaitable[Report]]
    invalid_status: Callable[[Owner, InvalidSpecError, Previous, datetime], Status]
    known_status: Callable[[Kube, Body], Status | None]  # the last one, as far as it still holds
    tell: Callable[[Previous, Mapping[str, Any]], list[EventText]]  # from one status to the next
    parting: Parting | None = None  # None: nothing waits for the operator
    changed: Callable[[Key], None] = lambda _: None  # hears of each new version, our own too
    urgent: bool = False  # some of its passes wait behind no other
