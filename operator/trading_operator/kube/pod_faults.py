"""What a pod's containers say of a failed start or run. Whether it counts is the plan's matter."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trading_operator.plan.observed import PodFault

_PULLS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)
_NEVER_PULLED = frozenset({"InvalidImageName", "ErrImageNeverPull"})
# What a registry says of an image that it does not have, or not for us. All else may pass.
_ABSENT = re.compile(
    r"not found|not exist|manifest unknown|name unknown|no match for platform|denied|unauthorized"
    r"|forbidden|invalid reference",
    re.IGNORECASE,
)
_BUSY = re.compile(r"429|too ?many ?requests|rate limit", re.IGNORECASE)
_CREATIONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
)
# The kubelet has not read a ConfigMap or Secret yet: it will.
_NOT_SYNCED = re.compile(r"failed to sync|timed out waiting for the condition", re.IGNORECASE)
_CRASH_LOOP = "CrashLoopBackOff"
# Nobody knows how it ended: its node was started anew.
_UNKNOWN_ENDS = frozenset({"ContainerStatusUnknown", "Unknown"})

Container = Mapping[str, Any]


def find_pod_fault(status: Mapping[str, Any], main: Sequence[Container]) -> PodFault | None:
    """Return the first failure that the containers of a pod tell of, the decisive ones first."""
    if _is_disrupted(status):
        return None
    containers = (*(status.get("initContainerStatuses") or ()), *main)
    found = [fault for fault in map(_find, containers) if fault is not None]
    return min(found, key=lambda fault: not fault.hard, default=None)


def describe_exit(container: Container, terminated: Mapping[str, Any]) -> str:
    """Return how a container ended, with what it left behind."""
    said = (terminated.get("message") or "").strip()
    cause = terminated.get("reason") or "Error"
    text = f"container {container['name']} exited with {terminated.get('exitCode')} ({cause})"
    return f"{text}: {said}" if said else text


def started_at(containers: Iterable[Container]) -> str:
    """Return since when the containers of a pod run, "" while one does not."""
    times = [
        ((each.get("state") or {}).get("running") or {}).get("startedAt", "") for each in containers
    ]
    return max(times, default="") if all(times) else ""


def _is_disrupted(status: Mapping[str, Any]) -> bool:
    """Tell whether somebody else ended the pod: an eviction, a drain, a full node."""
    conditions = status.get("conditions") or ()
    disrupted = (
        each.get("type") == "DisruptionTarget" and each.get("status") == "True"
        for each in conditions
    )
    return any(disrupted) or status.get("reason") == "Evicted"


def _find(container: Container) -> PodFault | None:
    return next(_faults(container), None)


def _faults(container: Container) -> Iterator[PodFault]:
    state = container.get("state") or {}
    yield from _ended(container, state.get("terminated") or {})
    yield from _waits(container, state.get("waiting") or {})
    last = (container.get("lastState") or {}).get("terminated") or {}
    if (state.get("waiting") or {}).get("reason") == _CRASH_LOOP and last:
        # It ends again and again: for a program that is to run no exit code is a good one.
        yield _exit(container, last)
    yield from _ended(container, last)


def _ended(container: Container, terminated: Mapping[str, Any]) -> Iterator[PodFault]:
    if terminated.get("exitCode", 0) != 0 and terminated.get("reason") not in _UNKNOWN_ENDS:
        yield _exit(container, terminated)


def _exit(container: Container, terminated: Mapping[str, Any]) -> PodFault:
    reason = terminated.get("reason") or "Error"
    text = describe_exit(container, terminated)
    return PodFault(reason, text, True, terminated.get("finishedAt") or "", runs=True)


def _waits(container: Container, waiting: Mapping[str, Any]) -> Iterator[PodFault]:
    reason, message = waiting.get("reason", ""), waiting.get("message") or ""
    text = f"container {container['name']}: {message or reason}"
    if reason in _PULLS:
        absent = reason in _NEVER_PULLED or bool(_ABSENT.search(message))
        yield PodFault(reason, text, absent and not _BUSY.search(message))
    elif reason in _CREATIONS:
        yield PodFault(reason, text, not _NOT_SYNCED.search(message))
