"""What the API server last said about our children: one cache for all of them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from trading_operator.kube.pod_facts import read_pod_facts
from trading_operator.kube.transport import FIELD_MANAGER
from trading_operator.manifests.controller_revision import KIND as REVISION
from trading_operator.manifests.metadata import PART_OF
from trading_operator.plan.stored_revision import pack_data
from trading_operator.plan.types import Manifest, PodFacts, Ref


class Key(NamedTuple):
    """Names one trading system."""

    namespace: str
    name: str


class Id(NamedTuple):
    """Names one object of any kind."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One object without its managed fields, and whose they are."""

    # As JSON: decoding takes microseconds, and the objects of it ten times the memory.
    content: bytes
    version: int
    uid: str
    system: Key | None
    owner_uids: tuple[str, ...] = ()
    # Place of our Update entry in metadata.managedFields, to be turned into an Apply one before
    # the first server-side apply; None when there is none (any more).
    update_entry: int | None = None
    facts: PodFacts | None = None  # pods only, which have no manifest
    packed: bytes | None = None  # revisions only: the data, which their manifest has not

    @property
    def manifest(self) -> Manifest:
        """Return the object, decoded anew each time; that of a pod is empty."""
        decoded: Manifest = orjson.loads(self.content)
        return decoded


def version_of(manifest: Mapping[str, Any]) -> int:
    """Return an object's resourceVersion; those of one resource type are ordered."""
    return int(manifest["metadata"].get("resourceVersion") or 0)


def read_entry(manifest: Manifest) -> Entry:
    """Build the entry of an object; takes the object over."""
    metadata = manifest["metadata"]
    part_of = (metadata.get("labels") or {}).get(PART_OF)
    system = Key(metadata["namespace"], part_of) if part_of else None
    managed = metadata.pop("managedFields", None) or ()
    version, uid = version_of(manifest), metadata["uid"]
    if manifest.get("kind") == "Pod":
        facts = read_pod_facts(manifest)
        return Entry(b"{}", version, uid, system, facts=facts)
    packed = pack_data(manifest.pop("data", None)) if manifest.get("kind") == REVISION else None
    return Entry(
        orjson.dumps(manifest),
        version,
        uid,
        system,
        tuple(reference["uid"] for reference in metadata.get("ownerReferences") or ()),
        _update_entry(managed),
        packed=packed,
    )


def _update_entry(managed: Iterable[Mapping[str, Any]]) -> int | None:
    for place, entry in enumerate(managed):
        ours = entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")
        if ours and entry.get("operation") == "Update":
            return place
    return None


class Cache:
    """Objects by kind, namespace and name, found by owner and by system.

    Watches and our own writes both feed it; the newer resourceVersion wins, so that a watch
    that lags behind does not take back what we have just written.
    """

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._entries: dict[Id, Entry] = {}
        self._by_owner: dict[str, set[Id]] = defaultdict(set)
        self._by_system: dict[Key, set[Id]] = defaultdict(set)
        self._wake = wake
        # Systems that lost a child which we did not delete: perhaps they are gone themselves,
        # and the watch of systems has not said so yet.
        self.bereft: set[Key] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def count_by_kind(self) -> Counter[str]:
        """Count the objects of each kind."""
        return Counter(place.kind for place in self._entries)

    def get(self, place: Id) -> Entry | None:
        """Return the entry of an object."""
        return self._entries.get(place)

    def children(self, key: Key, uid: str) -> dict[Ref, Entry]:
        """Return the objects, pods aside, that the system owns, or that carry its label and
        have no owner (those of a system that was deleted and made anew are not its children).
        """
        places = self._by_owner.get(uid, set()) | self._by_system.get(key, set())
        found = {}
        for place in places:
            entry = self._entries[place]
            owners = set(entry.owner_uids)
            if entry.facts is None and (uid in owners or not owners):
                found[Ref(place.kind, place.name)] = entry
        return found

    def pods(self, key: Key) -> tuple[PodFacts, ...]:
        """Return the facts of the system's pods, by name."""
        entries = (self._entries[place] for place in self._by_system.get(key, ()))
        facts = (entry.facts for entry in entries if entry.facts is not None)
        return tuple(sorted(facts, key=lambda fact: fact.name))

    def put(self, manifest: Manifest, wake: bool = True) -> Entry:
        """Store an object unless a newer one is there; returns what is there then."""
        place, entry = _place(manifest), read_entry(manifest)
        before = self._entries.get(place)
        if before is not None and before.version >= entry.version:
            return before
        self._unlink(place)
        self._link(place, entry)
        if wake and not _says_the_same(before, entry):
            self._wake_system(entry)
        return entry

    def remove(self, manifest: Manifest, expected: bool = False) -> None:
        """Forget an object that is gone, unless a newer one of its name is there."""
        place = _place(manifest)
        before = self._entries.get(place)
        if before is None or before.version > version_of(manifest):
            return
        self._unlink(place)
        if before.system is not None and before.facts is None and not expected:
            self.bereft.add(before.system)
        self._wake_system(before)

    def replace(
        self, kind: str, namespace: str | None, manifests: Iterable[Manifest], version: int
    ) -> None:
        """Store a whole list as of `version` and forget what is not in it and not newer."""
        seen = {_place(manifest) for manifest in manifests if self.put(manifest)}
        for place, entry in list(self._entries.items()):
            listed = place.kind == kind and namespace in (None, place.namespace)
            if listed and place not in seen and entry.version <= version:
                self._unlink(place)
                if entry.system is not None and entry.facts is None:
                    self.bereft.add(entry.system)
                self._wake_system(entry)

    def forget_bereft(self, known: Iterable[Key]) -> None:
        """Drop the bereft systems that are not known: theirs is no pass that would ask."""
        self.bereft.intersection_update(known)

    def _wake_system(self, entry: Entry) -> None:
        if entry.system is not None:
            self._wake(entry.system)

    def _link(self, place: Id, entry: Entry) -> None:
        self._entries[place] = entry
        for uid in entry.owner_uids:
            self._by_owner[uid].add(place)
        if entry.system is not None:
            self._by_system[entry.system].add(place)

    def _unlink(self, place: Id) -> None:
        entry = self._entries.pop(place, None)
        if entry is None:
            return
        for uid in entry.owner_uids:
            _discard(self._by_owner, uid, place)
        if entry.system is not None:
            _discard(self._by_system, entry.system, place)


def _place(manifest: Mapping[str, Any]) -> Id:
    metadata = manifest["metadata"]
    return Id(manifest["kind"], metadata["namespace"], metadata["name"])


def _discard(index: dict[Any, set[Id]], key: object, place: Id) -> None:
    index[key].discard(place)
    if not index[key]:
        del index[key]


def _says_the_same(before: Entry | None, after: Entry) -> bool:
    """Whether a pod's change is none in what we read of it (kubelets write often)."""
    return before is not None and after.facts is not None and before.facts == after.facts
