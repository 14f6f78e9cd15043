"""What quotas and nodes have for new pods: read before a change, and remembered for a while."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trading_operator.kube.errors import ApiError
from trading_operator.kube.resources import NODES, RESOURCE_QUOTAS, Resource
from trading_operator.kube.transport import Call, Transport, items_of
from trading_operator.plan.observed import Capacity, Quota

# What a node has changes seldom, and a list of all nodes may be long.
NODES_SECONDS = 60.0
# What is used of a quota changes with every pod.
QUOTAS_SECONDS = 3.0
Item = Mapping[str, Any]


@dataclass
class _Memory:
    items: tuple[Any, ...] | None = None  # None: may not be read
    until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class CapacityReader:
    """Reads each list once for all systems that change at the same time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._nodes = _Memory()
        self._quotas: dict[str, _Memory] = {}

    async def read(self, namespace: str) -> Capacity:
        """Return what there is; what may not be read is left out. Raises ApiError."""
        quotas = self._quotas.setdefault(namespace, _Memory())
        await asyncio.gather(
            self._refresh(quotas, RESOURCE_QUOTAS, namespace, _read_quota, QUOTAS_SECONDS),
            self._refresh(self._nodes, NODES, None, _read_node, NODES_SECONDS),
        )
        found = (each for each in quotas.items or () if each is not None)
        return Capacity(tuple(found), self._nodes.items)

    def forget(self, namespace: str) -> None:
        """Drop what is known of a namespace."""
        self._quotas.pop(namespace, None)

    async def _refresh(
        self,
        memory: _Memory,
        resource: Resource,
        namespace: str | None,
        read: Callable[[Item], Any],
        seconds: float,
    ) -> None:
        async with memory.lock:
            if memory.until > time.monotonic():
                return
            try:
                answer = await self._transport.send(Call("list", resource, namespace))
                memory.items = tuple(map(read, items_of(answer)))
            except ApiError as error:
                if error.status != 403:
                    raise
                memory.items = None
            memory.until = time.monotonic() + seconds


def _read_node(item: Item) -> Mapping[str, str]:
    allocatable: Mapping[str, str] = (item.get("status") or {}).get("allocatable") or {}
    return allocatable


def _read_quota(item: Item) -> Quota | None:
    """Read a quota; one with scopes counts some pods alone, which is the API server's matter."""
    if item["spec"].get("scopes") or item["spec"].get("scopeSelector"):
        return None
    status = item.get("status") or {}
    return Quota(item["metadata"]["name"], status.get("hard") or {}, status.get("used") or {})
