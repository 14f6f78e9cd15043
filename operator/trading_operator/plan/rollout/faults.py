"""Whether a change has failed, and by which component: from its own new pods alone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from trading_operator.api.reasons import PROBES_FAILING, PROGRESS_DEADLINE_EXCEEDED
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.draft import Draft
from trading_operator.plan.graph import required_by
from trading_operator.plan.observed import FailedProbe, Observed, PodFacts
from trading_operator.plan.readiness import component_pods, is_ready

# A database and what uses it may end in the same second, and be told of in either order.
SETTLE = timedelta(seconds=2)
# Kubelets are late at times: so much longer may failures in a row take.
_UNEVEN = 1.5
_PROBES = {"readinessProbe": "Readiness", "livenessProbe": "Liveness", "startupProbe": "Startup"}


@dataclass(frozen=True)
class Fault:
    """Why a change has failed."""

    component: str
    reason: str
    message: str


@dataclass(frozen=True)
class Change:
    """A revision that is not proven: its components, and which of them are not as before."""

    drafts: Mapping[str, Draft]
    changed: frozenset[str]
    observed: Observed
    now: datetime

    def requires(self, name: str) -> tuple[Draft, ...]:
        """Return what a component requires, directly or through others."""
        return tuple(self.drafts[each] for each in required_by(self.drafts[name], self.drafts))

    def is_ready(self, name: str) -> bool:
        """Tell whether a component serves at the revision."""
        return is_ready(self.observed, self.drafts[name])


@dataclass(frozen=True)
class Finding:
    """A fault, or when it will be known whether there is one."""

    fault: Fault | None = None
    look_again: timedelta | None = None


def find_fault(change: Change) -> Finding:
    """Return the fault of the deepest component that has one: others may fail because of it."""
    waits: list[timedelta] = []
    for name in change.drafts:
        if name not in change.changed:
            continue
        for fault, at, excusable in _faults(change, name):
            if excusable and _was_let_down(change, name, at):
                continue
            wait = _unsettled(change, name, at) if excusable else None
            if wait is None:
                return Finding(fault)
            waits.append(wait)
    return Finding(look_again=min(waits, default=None))


def find_standstill(change: Change, since: datetime, patience: timedelta) -> Finding:
    """Return the fault of a change that makes no progress, or when it will have made none.

    What does not serve because of a component that the change leaves alone is no fault of it.
    """
    blamed = _deepest_unready(change)
    if blamed is None:
        return Finding()
    since = max([since, *(_ready_since(change, each.name) for each in change.requires(blamed))])
    left = _deadline(change, blamed, since, patience) - change.now
    if left > timedelta():
        return Finding(look_again=left)
    words = next((pod.message for pod in _new_pods(change, blamed) if pod.message), "")
    message = f"not Ready within rollout.progressDeadline ({_seconds(patience)} s)"
    told = f"{message}: {words}" if words else message
    return Finding(Fault(blamed, PROGRESS_DEADLINE_EXCEEDED, told))


def _deadline(change: Change, name: str, since: datetime, patience: timedelta) -> datetime:
    """Return until when a component must serve whose turn came at `since`.

    An operator that could not write meanwhile gives it its pods late; what never gets any, because
    the API server refuses it, has twice the time.
    """
    made = min((_moment(pod.created_at) for pod in _new_pods(change, name)), default=change.now)
    return min(max(since, made), since + patience) + patience


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _faults(change: Change, name: str) -> Iterator[tuple[Fault, str, bool]]:
    """Yield the faults of a component, when each happened, and whether another may excuse it."""
    for pod in _new_pods(change, name):
        if pod.fault is not None and pod.fault.hard:
            fault = Fault(name, pod.fault.reason, pod.fault.message)
            yield fault, pod.fault.at, pod.fault.runs
        words = _failing_probe(change.drafts[name], pod, change.now)
        if words:
            yield Fault(name, PROBES_FAILING, f"pod {pod.name}: {words}"), pod.ready_since, True


def _new_pods(change: Change, name: str) -> Iterable[PodFacts]:
    revision = change.drafts[name].revision
    pods = component_pods(change.observed, name)
    return (pod for pod in pods if pod.revision == revision and not pod.deleting)


def _failing_probe(draft: Draft, pod: PodFacts, now: datetime) -> str:
    """Return what the probe says that has failed as often as its threshold allows.

    One event arms, the kubelet's own count decides; readiness counts only of a pod that is not
    Ready, and after the time that its start may take.
    """
    if not pod.started_at:
        return ""  # it does not run: what ended it says more
    for probe in _probes(draft.workload):
        failed = pod.failed_probes.get(probe.name)
        if failed is None:
            continue
        if probe.name != "Readiness":
            decided = failed.count >= probe.threshold and _in_a_row(failed, probe)
        elif _was_ready(pod):
            decided = True  # the kubelet has counted
        else:
            enough = failed.count >= probe.threshold
            decided = not pod.ready and enough and not _may_still_start(draft, pod, now)
        if decided:
            return failed.words
    return ""


class _Probe(NamedTuple):
    name: str
    threshold: int
    period: int  # seconds


def _probes(workload: Manifest) -> Iterator[_Probe]:
    (container, *_) = workload["spec"]["template"]["spec"]["containers"]
    for field, name in _PROBES.items():
        if field in container:
            threshold = int(container[field].get("failureThreshold", 3))
            yield _Probe(name, threshold, int(container[field].get("periodSeconds", 10)))


def _in_a_row(failed: FailedProbe, probe: _Probe) -> bool:
    """Tell whether a probe of a pod that may be Ready has failed without a success between."""
    return failed.seconds <= failed.count * probe.period * _UNEVEN + 1


def _was_ready(pod: PodFacts) -> bool:
    """Tell whether a pod that is not Ready was so since its containers started."""
    return not pod.ready and _moment(pod.ready_since) > _moment(pod.started_at)


def _may_still_start(draft: Draft, pod: PodFacts, now: datetime) -> bool:
    if draft.start_patience is None:
        return False
    return now < _moment(pod.started_at) + draft.start_patience


def _was_let_down(change: Change, name: str, at: str) -> bool:
    """Tell whether something that a component requires was away when it failed."""
    return any(
        not change.is_ready(needed.name) or _ready_since(change, needed.name) > _moment(at)
        for needed in change.requires(name)
        if at or not change.is_ready(needed.name)
    )


def _unsettled(change: Change, name: str, at: str) -> timedelta | None:
    """Return how long it may still come to light that a component was let down, if it may."""
    if not at or all(each.name in change.changed for each in change.requires(name)):
        return None
    fresh = not any(_has_served(pod, at) for pod in _new_pods(change, name))
    left = _moment(at) + SETTLE - change.now
    return None if fresh or left <= timedelta() else left


def _has_served(pod: PodFacts, at: str) -> bool:
    """Tell whether a pod was Ready until it failed."""
    return pod.ready or _moment(pod.ready_since) >= _moment(at) - timedelta(seconds=1)


def _ready_since(change: Change, name: str) -> datetime:
    """Return since when a component serves; of one that is not Ready, now."""
    if not change.is_ready(name):
        return change.now
    pods = component_pods(change.observed, name)
    return max((_moment(pod.ready_since) for pod in pods if pod.ready), default=_EPOCH)


def _deepest_unready(change: Change) -> str | None:
    """Return the first component that is not Ready and can be so only by the change itself."""
    for name in change.drafts:
        if change.is_ready(name) or name in change.observed.waiting_since:
            continue  # who waits for an optional dependency does so for a bounded time
        needed = change.requires(name)
        let_down = any(not change.is_ready(each.name) for each in needed)
        touched = name in change.changed or any(each.name in change.changed for each in needed)
        if touched and not let_down:
            return name
    return None


_EPOCH = datetime.fromtimestamp(0, UTC)


def _moment(text: str) -> datetime:
    """Read a time of the API; one that nobody wrote lies long ago."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else _EPOCH
    except ValueError:
        return _EPOCH


def moment_or(text: str, otherwise: datetime) -> datetime:
    """Read a time that anybody may have written: nothing began in the future."""
    found = _moment(text)
    return otherwise if found == _EPOCH or found > otherwise else found
