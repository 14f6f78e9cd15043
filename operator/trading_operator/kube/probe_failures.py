"""Failed probes, as kubelets tell them in Events: long before a pod's status shows any."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from trading_operator.plan.observed import FailedProbe, PodFacts
from trading_operator.plan.types import Manifest

WORDS_LENGTH = 256
REMEMBERED = 5000  # pods; of all those in the cluster that fail, ours are a few
_TEXT = re.compile(r"^(Readiness|Liveness|Startup) probe failed")


class PodId(NamedTuple):
    """Names one pod, not the next one of its name."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class ProbeEvent:
    """One Event: a probe of a pod has failed so many times with the same words."""

    name: str
    pod: PodId
    probe: str
    count: int
    words: str
    first: float  # seconds since the epoch
    last: float


Listed = tuple[str, ProbeEvent | None]


class ProbeFailures:
    """The failed probes of each pod; takes what a watch of Events says."""

    def __init__(self, wake: Callable[[PodId], None]) -> None:
        self._wake = wake
        self._events: OrderedDict[PodId, dict[str, ProbeEvent]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._events)

    def add_to(self, namespace: str, uid: str, facts: PodFacts) -> PodFacts:
        """Return the facts of a pod with the probes of it that failed."""
        events = self._events.get(PodId(namespace, facts.name, uid))
        if not events:
            return facts
        probes = {each.probe for each in events.values()}
        return replace(facts, failed_probes={name: _sum(name, events) for name in probes})

    def read(self, manifest: Manifest) -> Listed:
        """Read an Event; None of one that tells of no failed probe."""
        return manifest["metadata"]["name"], _read(manifest)

    def put(self, manifest: Manifest) -> None:
        """Take a new or changed Event."""
        event = _read(manifest)
        if event is not None and self._keep(event):
            self._wake(event.pod)

    def remove(self, manifest: Manifest) -> None:
        """Forget an Event that has expired."""
        event = _read(manifest)
        if event is None or event.pod not in self._events:
            return
        self._events[event.pod].pop(event.name, None)
        if not self._events[event.pod]:
            del self._events[event.pod]

    def replace(
        self, kind: str, namespace: str | None, listed: Iterable[Listed], version: int
    ) -> None:
        """Take a whole list; what is not in it has expired."""
        for pod in [pod for pod in self._events if namespace in (None, pod.namespace)]:
            del self._events[pod]
        for _, event in listed:
            if event is not None and self._keep(event):
                self._wake(event.pod)

    def _keep(self, event: ProbeEvent) -> bool:
        """Keep an Event; returns whether it says more than the one that was there."""
        events = self._events.setdefault(event.pod, {})
        self._events.move_to_end(event.pod)
        before = events.get(event.name)
        events[event.name] = event
        if len(self._events) > REMEMBERED:
            self._events.popitem(last=False)
        return before != event


def _read(manifest: Mapping[str, Any]) -> ProbeEvent | None:
    match = _TEXT.match(manifest.get("message") or "")
    about = manifest.get("involvedObject") or {}
    if match is None or about.get("kind") != "Pod":
        return None
    metadata = manifest["metadata"]
    pod = PodId(metadata["namespace"], about.get("name", ""), about.get("uid", ""))
    count = int(manifest.get("count") or (manifest.get("series") or {}).get("count") or 1)
    words = (manifest.get("message") or "").strip()[:WORDS_LENGTH]
    first, last = (_moment(manifest.get(each)) for each in ("firstTimestamp", "lastTimestamp"))
    return ProbeEvent(metadata["name"], pod, match[1], count, words, first, last)


def _sum(probe: str, events: Mapping[str, ProbeEvent]) -> FailedProbe:
    """Return all failures of one probe; what is said in other words is another Event."""
    found = [each for each in events.values() if each.probe == probe]
    newest = max(found, key=lambda each: each.last)
    seconds = newest.last - min(each.first for each in found)
    return FailedProbe(sum(each.count for each in found), newest.words, max(0.0, seconds))


def _moment(text: Any) -> float:
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except (TypeError, ValueError):
        return 0.0
