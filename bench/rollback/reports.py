"""What a watch told of the pods of a change: the kubelet's reports, and when all was well. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bench.rollback.failures import THRESHOLD, Signal, Version
from bench.rollback.objects import version_of

PODS, EVENTS, SYSTEMS = "pods", "events", "tradingsystems"
_MISSES = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CrashLoopBackOff"})
_FAILED = "Failed"  # the kubelet's reason of an Event about a pull or a start


class Sighting(NamedTuple):
    """One event of a watch, and when it came."""

    seen: float  # seconds since the epoch
    resource: str
    kind: str  # ADDED, MODIFIED or DELETED
    object: Mapping[str, Any]


class Report(NamedTuple):
    """The kubelet said that something fails."""

    seen: float
    resource: str
    name: str  # of the object that says so
    words: str
    decides: bool  # nobody could know better later


def find_reports(sightings: Iterable[Sighting], version: Version, signal: Signal) -> list[Report]:
    """Return the reports about the pods of a version, in the order in which they came."""
    reports = _Reports(version.name, signal)
    ordered = sorted(sightings, key=lambda each: each.seen)
    return [report for each in ordered for report in reports.read(each)]


class _Reports:
    def __init__(self, version: str, signal: Signal) -> None:
        self._version = version
        self._signal = signal
        self._pods: set[str] = set()
        self._counts: Counter[tuple[str, str]] = Counter()  # by pod and Event

    def read(self, sighting: Sighting) -> Iterator[Report]:
        if sighting.kind == "DELETED":
            return
        if sighting.resource == PODS:
            yield from self._read_pod(sighting)
        elif sighting.resource == EVENTS and self._is_about_ours(sighting):
            yield from self._read_event(sighting)

    def _is_about_ours(self, sighting: Sighting) -> bool:
        return sighting.object["involvedObject"].get("name") in self._pods

    def _read_pod(self, sighting: Sighting) -> Iterator[Report]:
        pod = sighting.object
        if version_of(pod) != self._version:
            return
        name = pod["metadata"]["name"]
        self._pods.add(name)
        # One that is being deleted ends because it was told to.
        if self._signal is Signal.CONTAINER and "deletionTimestamp" not in pod["metadata"]:
            words = next(_container_failures(pod.get("status") or {}), "")
            if words:
                yield Report(sighting.seen, PODS, name, words, True)

    def _read_event(self, sighting: Sighting) -> Iterator[Report]:
        event = sighting.object
        words, name = event.get("message") or "", event["metadata"]["name"]
        if self._signal is Signal.CONTAINER:
            if event.get("reason") == _FAILED:
                yield Report(sighting.seen, EVENTS, name, words, False)
        elif words.startswith(f"{self._signal} probe failed"):
            pod = event["involvedObject"]["name"]
            self._counts[pod, name] = int(event.get("count") or 1)
            failed = sum(count for (each, _), count in self._counts.items() if each == pod)
            yield Report(sighting.seen, EVENTS, name, words, failed >= THRESHOLD)


def _container_failures(status: Mapping[str, Any]) -> Iterator[str]:
    for container in status.get("containerStatuses") or ():
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
            if waiting.get("reason") in _MISSES:
                yield f"{waiting['reason']}: {waiting.get('message', '')}"
            if ended.get("exitCode", 0) != 0:
                yield f"exit code {ended['exitCode']} ({ended.get('reason', '')})"


def find_restored(
    sightings: Iterable[Sighting], good: Version, replicas: int, since: float
) -> float | None:
    """Return when, after `since`, all pods were Ready ones of the good version again."""
    pods: dict[str, Mapping[str, Any]] = {}
    for each in sorted(sightings, key=lambda each: each.seen):
        if each.resource != PODS:
            continue
        _keep(pods, each)
        if each.seen > since and _is_whole(list(pods.values()), good, replicas):
            return each.seen
    return None


def find_told(sightings: Iterable[Sighting], since: float) -> float | None:
    """Return when, after `since`, a system's status said that the change has gone back."""
    told = (
        each.seen
        for each in sightings
        if each.resource == SYSTEMS and each.seen > since and _phase(each) == "RolledBack"
    )
    return min(told, default=None)


def _phase(sighting: Sighting) -> str:
    rollout = (sighting.object.get("status") or {}).get("rollout") or {}
    return str(rollout.get("phase", ""))


def _keep(pods: dict[str, Mapping[str, Any]], sighting: Sighting) -> None:
    metadata = sighting.object["metadata"]
    # One that is being deleted gets no new connections.
    if sighting.kind == "DELETED" or "deletionTimestamp" in metadata:
        pods.pop(metadata["name"], None)
    else:
        pods[metadata["name"]] = sighting.object


def _is_whole(pods: Sequence[Mapping[str, Any]], good: Version, replicas: int) -> bool:
    return len(pods) == replicas and all(
        version_of(pod) == good.name and is_ready(pod) for pod in pods
    )


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod is Ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
