"""What the API server last said about our children: one cache for all of them."""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from trading_operator.api.trading_system import KIND as TRADING_SYSTEM
from trading_operator.kube.packing import Packed, Packer
from trading_operator.kube.pod_facts import read_pod_facts
from trading_operator.kube.probe_failures import PodId, ProbeFailures
from trading_operator.kube.transport import FIELD_MANAGER
from trading_operator.manifests.controller_revision import KIND as REVISION
from trading_operator.manifests.metadata import owner_of_labels
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.observed import PodFacts, Ref
from trading_operator.plan.stored_revision import pack_data
from trading_operator.plan.types import Manifest


class Key(NamedTuple):
    """Names one resource of ours, a trading system unless another kind is said."""

    namespace: str
    name: str
    kind: str = TRADING_SYSTEM

    def __str__(self) -> str:
        """Return the key as people write it."""
        path = f"{self.namespace}/{self.name}"
        return path if self.kind == TRADING_SYSTEM else f"{self.kind} {path}"


class Id(NamedTuple):
    """Names one object of any kind."""

    kind: str
    namespace: str
    name: str


@dataclass(slots=True)
class Entry:
    """One object of one version without its managed fields, and whose they are.

    `system` is the resource of ours that its labels name: a trading system, or one of another kind.

    `agrees_with` is all that changes: what this version was last found to agree with.
    """

    content: Packed | None  # None of a pod
    version: int
    uid: str
    system: Key | None
    owner_uids: tuple[str, ...] = ()
    # Place of our Update entry in metadata.managedFields, to be turned into an Apply one before
    # the first server-side apply; None when there is none (any more).
    update_entry: int | None = None
    facts: PodFacts | None = None  # pods only, which have no manifest
    packed: bytes | None = None  # revisions only: the data, which their manifest has not
    agrees_with: str = ""  # digest of the planned manifest that it does not differ from

    @property
    def manifest(self) -> Manifest:
        """Return the object, decoded anew each time; that of a pod is empty."""
        return {} if self.content is None else self.content.unpack()


# One object of a list, read when it comes: a list of decoded ones is ten times as large.
Listed = tuple[Id, Entry]


@dataclass
class _OwnWrite:
    """A write of ours that is under way."""

    answered: int = 0  # the version that it made
    heard: Entry | None = None  # the newest one that the watch told of meanwhile


def version_of(manifest: Mapping[str, Any]) -> int:
    """Return an object's resourceVersion; those of one resource type are ordered."""
    return int(manifest["metadata"].get("resourceVersion") or 0)


def _read_entry(manifest: Manifest, packer: Packer) -> Entry:
    metadata = manifest["metadata"]
    system = _owner_key(metadata)
    managed = metadata.pop("managedFields", None) or ()
    version, uid = version_of(manifest), metadata["uid"]
    if manifest.get("kind") == "Pod":
        facts = read_pod_facts(manifest)
        return Entry(None, version, uid, system, facts=facts)
    packed = pack_data(manifest.pop("data", None)) if manifest.get("kind") == REVISION else None
    return Entry(
        packer.pack(manifest["kind"], manifest),
        version,
        uid,
        system,
        tuple(reference["uid"] for reference in metadata.get("ownerReferences") or ()),
        _update_entry(managed),
        packed=packed,
    )


def _owner_key(metadata: Mapping[str, Any]) -> Key | None:
    owner = owner_of_labels(metadata.get("labels") or {})
    if owner is None:
        return None
    kind, name = owner
    return Key(sys.intern(metadata["namespace"]), name, sys.intern(kind))


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

    def __init__(
        self, wake: Callable[[Key], None], alarm: Callable[[Key], None] | None = None
    ) -> None:
        self._entries: dict[Id, Entry] = {}
        self._by_owner: dict[str, set[Id]] = defaultdict(set)
        self._by_system: dict[Key, set[Id]] = defaultdict(set)
        self._wake = wake
        self._alarm = alarm or wake  # of what may be a reason to go back
        self.probes = ProbeFailures(self._note_probe)
        self._packer = Packer()
        self._own_writes: dict[Id, _OwnWrite] = {}
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

        A claim is the system's as well when its StatefulSet or a pod of it owns it: somebody set
        the retention policy to Delete.
        """
        places = self._by_owner.get(uid, set()) | self._by_system.get(key, set())
        found = {}
        for place in places:
            entry = self._entries[place]
            owners = entry.owner_uids
            if entry.facts is None and (
                uid in owners
                or not owners
                or (place.kind == CLAIM_KIND and self._makers(key, uid).issuperset(owners))
            ):
                found[Ref(place.kind, place.name)] = entry
        return found

    def _makers(self, key: Key, uid: str) -> set[str]:
        """Return the uids of what the system's workloads are, and of their pods."""
        entries = (self._entries[place] for place in self._by_system.get(key, ()))
        return {each.uid for each in entries if each.facts is not None or uid in each.owner_uids}

    def offspring(self, key: Key, uid: str, kind: str) -> list[Manifest]:
        """Return the objects of a kind that a resource has made, or that what it made has made.

        Labels alone prove nothing: anybody may set them.
        """
        own = [(place, self._entries[place]) for place in self._by_system.get(key, ())]
        makers = {uid, *(entry.uid for _, entry in own if uid in entry.owner_uids)}
        return [
            entry.manifest
            for place, entry in own
            if place.kind == kind and not makers.isdisjoint(entry.owner_uids)
        ]

    def pods(self, key: Key) -> tuple[PodFacts, ...]:
        """Return the facts of the system's pods, by name."""
        entries = (self._entries[place] for place in self._by_system.get(key, ()))
        facts = (
            self.probes.add_to(key.namespace, entry.uid, entry.facts)
            for entry in entries
            if entry.facts is not None
        )
        return tuple(sorted(facts, key=lambda fact: fact.name))

    def _note_probe(self, pod: PodId) -> None:
        entry = self._entries.get(Id("Pod", pod.namespace, pod.name))
        if entry is not None and entry.uid == pod.uid and entry.system is not None:
            self._alarm(entry.system)

    def put(self, manifest: Manifest, wake: bool = True) -> Entry:
        """Store an object unless a newer one is there; returns what is there then."""
        return self._store(*self.read(manifest), wake)

    def read(self, manifest: Manifest) -> Listed:
        """Build what is kept of an object; takes the object over."""
        return _place(manifest), _read_entry(manifest, self._packer)

    @contextmanager
    def own_write(self, manifest: Manifest) -> Iterator[Callable[[Manifest], Entry]]:
        """Let the watch's echo of a write of ours wake nobody; yields what takes the answer.

        The echo often comes before the answer. What the watch says beyond it wakes the system, and
        so does an echo whose answer is lost.
        """
        place, ours = _place(manifest), _OwnWrite()

        def answer(written: Manifest) -> Entry:
            ours.answered = version_of(written)
            return self.put(written, wake=False)

        self._own_writes[place] = ours
        try:
            yield answer
        finally:
            # Two systems may want one name at the same time: the later of them listens then.
            if self._own_writes.get(place) is ours:
                del self._own_writes[place]
            heard = ours.heard
            if heard is not None and heard.version > ours.answered:
                self._wake_system(heard)

    def _store(self, place: Id, entry: Entry, wake: bool = True) -> Entry:
        before, ours = self._entries.get(place), self._own_writes.get(place)
        if before is not None and before.version >= entry.version:
            return before
        self._unlink(place)
        self._link(place, entry)
        if wake and ours is not None:
            ours.heard = entry
        elif wake and not _says_the_same(before, entry):
            self._wake_system(entry, alarm=_is_alarming(before, entry))
            if before is not None and _is_relabelled(before, entry):
                self._wake_system(before)
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
        self, kind: str, namespace: str | None, listed: Iterable[Listed], version: int
    ) -> None:
        """Store a whole list as of `version` and forget what is not in it and not newer."""
        seen = {place for place, entry in listed if self._store(place, entry)}
        for place, entry in list(self._entries.items()):
            of_the_list = place.kind == kind and namespace in (None, place.namespace)
            if of_the_list and place not in seen and entry.version <= version:
                self._unlink(place)
                if entry.system is not None and entry.facts is None:
                    self.bereft.add(entry.system)
                self._wake_system(entry)

    def forget_bereft(self, known: Iterable[Key]) -> None:
        """Drop the bereft systems that are not known: theirs is no pass that would ask."""
        self.bereft.intersection_update(known)

    def _wake_system(self, entry: Entry, *, alarm: bool = False) -> None:
        if entry.system is not None:
            (self._alarm if alarm else self._wake)(entry.system)

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
    # The same few texts for all objects, not one copy with each.
    kind, namespace = sys.intern(manifest["kind"]), sys.intern(metadata["namespace"])
    return Id(kind, namespace, metadata["name"])


def _discard(index: dict[Any, set[Id]], key: object, place: Id) -> None:
    index[key].discard(place)
    if not index[key]:
        del index[key]


def _is_alarming(before: Entry | None, after: Entry) -> bool:
    """Whether a pod tells of a new failure, or lost its readiness."""
    facts = after.facts
    if facts is None or facts.deleting:
        return False
    known = None if before is None else before.facts
    if known is not None and known.ready and not facts.ready:
        return True
    return facts.fault is not None and (known is None or known.fault != facts.fault)


def _is_relabelled(before: Entry, after: Entry) -> bool:
    """Whether somebody changed the labels that say whose an object is, but not who owns it."""
    owners = before.owner_uids
    return bool(owners) and owners == after.owner_uids and before.system != after.system


def _says_the_same(before: Entry | None, after: Entry) -> bool:
    """Whether a pod's change is none in what we read of it (kubelets write often)."""
    return before is not None and after.facts is not None and before.facts == after.facts
