"""Secrets, ConfigMaps and StorageClasses that are not watched: read by name, and remembered."""

import asyncio
import base64
import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trading_operator.kube.errors import ApiError
from trading_operator.kube.resources import CONFIG_MAPS, SECRETS, STORAGE_CLASSES, Resource
from trading_operator.kube.transport import Call, Transport, items_of
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.observed import SecretFacts

KNOWN_SECONDS = 60.0
MISSING_SECONDS = 5.0
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConfigFacts:
    """What is read of a ConfigMap: a digest of its data."""

    name: str
    digest: str


@dataclass(frozen=True)
class StorageClasses:
    """The StorageClasses of the cluster; names None means that they may not be read."""

    names: frozenset[str] | None
    default: str | None
    fixed: frozenset[str] = frozenset()  # whose volumes cannot grow


@dataclass
class _Memory:
    facts: Any
    until: float


@dataclass(frozen=True)
class NamedObjects:
    """What was found under the names that were asked for; what is missing is absent."""

    secrets: Mapping[str, SecretFacts] = field(default_factory=dict)
    config_maps: Mapping[str, ConfigFacts] = field(default_factory=dict)
    fresh_for: float | None = None  # seconds until one of them should be read again


class NamedReader:
    """Reads objects by name, each at most once a minute (a missing one every few seconds)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: dict[tuple[str, str, str], _Memory] = {}
        self._classes: _Memory | None = None
        self._classes_lock = asyncio.Lock()

    async def read(
        self, namespace: str, secrets: Iterable[str], config_maps: Iterable[str]
    ) -> NamedObjects:
        """Read the named objects of a namespace, in parallel."""
        wanted = [(SECRETS, name) for name in sorted(secrets)]
        wanted += [(CONFIG_MAPS, name) for name in sorted(config_maps)]
        if not wanted:
            return NamedObjects()
        found = await asyncio.gather(
            *(self._recall(resource, namespace, name) for resource, name in wanted)
        )
        facts = [memory.facts for memory in found if memory.facts is not None]
        return NamedObjects(
            {fact.name: fact for fact in facts if isinstance(fact, SecretFacts)},
            {fact.name: fact for fact in facts if isinstance(fact, ConfigFacts)},
            max(0.0, min(memory.until for memory in found) - time.monotonic()),
        )

    def put(self, namespace: str, secret: Mapping[str, Any]) -> None:
        """Remember a Secret that was just made."""
        place = (SECRETS.kind, namespace, secret["metadata"]["name"])
        self._known[place] = _remember(_secret_facts(secret))

    def expire(self, resource: Resource, namespace: str, name: str) -> None:
        """Read an object again when it is asked for next."""
        self._known.pop((resource.kind, namespace, name), None)

    def forget(self, namespace: str) -> None:
        """Read everything in a namespace again: a system of it is gone, perhaps all of it."""
        for place in [place for place in self._known if place[1] == namespace]:
            del self._known[place]

    def forget_old(self) -> None:
        """Drop what nobody has asked for in a long time."""
        old = time.monotonic() - 10 * KNOWN_SECONDS
        for place in [place for place, memory in self._known.items() if memory.until < old]:
            del self._known[place]

    async def read_storage_classes(self) -> StorageClasses:
        """Read which StorageClasses there are and which is the default one."""
        async with self._classes_lock:  # so that many systems that start at once read them once
            if self._classes is None or self._classes.until < time.monotonic():
                self._classes = _remember(await self._list_storage_classes())
            classes: StorageClasses = self._classes.facts
            return classes

    async def _list_storage_classes(self) -> StorageClasses:
        try:
            answer = await self._transport.send(Call("list", STORAGE_CLASSES))
        except ApiError as error:
            if error.status != 403:
                raise
            _log.warning("StorageClasses may not be read: they are not checked")
            return StorageClasses(None, None)
        items = items_of(answer)
        names = frozenset(item["metadata"]["name"] for item in items)
        fixed = (item["metadata"]["name"] for item in items if not item.get("allowVolumeExpansion"))
        default = next(filter(None, map(_default_name, items)), None)
        return StorageClasses(names, default, frozenset(fixed))

    async def _recall(self, resource: Resource, namespace: str, name: str) -> _Memory:
        place = (resource.kind, namespace, name)
        memory = self._known.get(place)
        if memory is None or memory.until <= time.monotonic():
            memory = self._known[place] = await self._read(resource, namespace, name)
        return memory

    async def _read(self, resource: Resource, namespace: str, name: str) -> _Memory:
        try:
            answer = await self._transport.send(Call("get", resource, namespace, name))
        except ApiError as error:
            if error.status != 404:
                raise
            return _Memory(None, time.monotonic() + MISSING_SECONDS)
        facts = _secret_facts if resource is SECRETS else config_facts
        return _remember(facts(answer))


def _remember(facts: object) -> _Memory:
    return _Memory(facts, time.monotonic() + KNOWN_SECONDS)


def _secret_facts(secret: Mapping[str, Any]) -> SecretFacts:
    data = secret.get("data") or {}
    metadata = secret["metadata"]
    digest = _digest((key, base64.b64decode(value)) for key, value in data.items())
    owners = metadata.get("ownerReferences") or ()
    return SecretFacts(
        metadata["name"],
        frozenset(data),
        digest,
        dict(metadata.get("labels") or {}),
        frozenset(each["uid"] for each in owners if each["kind"] == CLAIM_KIND),
    )


def config_facts(config_map: Mapping[str, Any]) -> ConfigFacts:
    text = ((key, value.encode()) for key, value in (config_map.get("data") or {}).items())
    binary = (
        (key, base64.b64decode(value))
        for key, value in (config_map.get("binaryData") or {}).items()
    )
    return ConfigFacts(config_map["metadata"]["name"], _digest((*text, *binary)))


def _digest(contents: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(contents):
        # Lengths too, so that no two different contents run into the same bytes.
        digest.update(f"{len(key)}:{key}:{len(value)}:".encode() + value)
    return digest.hexdigest()[:16]


def _default_name(storage_class: Mapping[str, Any]) -> str | None:
    metadata = storage_class["metadata"]
    is_default = (metadata.get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    return metadata["name"] if is_default else None
