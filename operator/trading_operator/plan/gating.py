"""Health gates: a component starts or changes only once what it depends on is Ready."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from trading_operator.api.common import Dependency, parse_duration
from trading_operator.api.reasons import (
    WAITING_FOR_DEPENDENCY,
    WAITING_FOR_OPTIONAL,
)
from trading_operator.manifests.compare import differs
from trading_operator.plan.draft import Draft
from trading_operator.plan.graph import required_by
from trading_operator.plan.observed import Observed
from trading_operator.plan.readiness import (
    is_ready,
    live_revision,
    orphans,
    ready_pods,
    serves,
)
from trading_operator.plan.types import Block

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Gate:
    """Whether a component may be started or changed now, and what it goes without."""

    block: Block | None = None
    waiting_since: str | None = None
    degraded: tuple[str, ...] = ()  # optional dependencies that it goes without
    missing: tuple[str, ...] = ()  # required dependencies that do not serve
    awaited: tuple[str, ...] = ()  # all that must be Ready before a pod of it may start

    @property
    def goes(self) -> bool:
        """Tell whether nothing holds the component."""
        return self.block is None

    @property
    def requeue_after(self) -> timedelta | None:
        """Return when to look again though nothing was seen to change."""
        return None if self.block is None else self.block.requeue_after


def gate(draft: Draft, drafts: Mapping[str, Draft], observed: Observed, now: datetime) -> Gate:
    """Decide whether a component's turn has come.

    Everything that it requires must be Ready, also what it requires through others: an unchanged
    component between two changed ones passes the order on. A component that already runs what the
    plan wants has no gate: when a dependency fails later, it is left as it is and said to be
    without it, and only a write that could start or change pods waits.
    """
    awaited = [name for name in required_by(draft, drafts) if not is_ready(observed, drafts[name])]
    left = replace(_without_gate(draft, drafts, observed), awaited=tuple(awaited))
    runs = _runs(draft, observed)
    if awaited and not (runs and _leaves_pods_alone(draft, observed)):
        unready = [d for d in draft.dependencies if not is_ready(observed, drafts[d.name])]
        return replace(left, block=_required_block(unready, awaited, drafts, observed))
    if runs:
        return left
    optional = [d for d in draft.dependencies if not is_ready(observed, drafts[d.name])]
    return _bounded_wait(draft, drafts, observed, now, optional)


def format_time(moment: datetime) -> str:
    """Return a moment in UTC as the API writes it."""
    return moment.strftime(_TIME_FORMAT)


def _runs(draft: Draft, observed: Observed) -> bool:
    """Tell whether the plan's revision runs; one that was scaled to zero starts anew."""
    if draft.ref not in observed.children:
        left = orphans(observed, draft.ref, draft.name)
        return bool(left) and all(pod.revision == draft.revision for pod in left)
    if live_revision(observed, draft.ref) != draft.revision:
        return False
    return draft.desired == 0 or bool(observed.children[draft.ref]["spec"].get("replicas", 1))


def _leaves_pods_alone(draft: Draft, observed: Observed) -> bool:
    """Tell whether writing the workload now starts and changes no pod; fewer pods are no start."""
    if draft.ref not in observed.children:
        return draft.desired <= len(orphans(observed, draft.ref, draft.name))
    live = observed.children[draft.ref]
    count = live["spec"].get("replicas", 1)
    alike = {**draft.workload, "spec": {**draft.workload["spec"], "replicas": count}}
    return draft.desired <= count and not differs(alike, live)


def _without_gate(draft: Draft, drafts: Mapping[str, Draft], observed: Observed) -> Gate:
    lost = [d for d in draft.dependencies if not serves(observed, drafts[d.name])]
    return Gate(
        degraded=tuple(dependency.name for dependency in lost if not dependency.required),
        missing=tuple(dependency.name for dependency in lost if dependency.required),
    )


def _required_block(
    unready: Sequence[Dependency],
    awaited: Sequence[str],
    drafts: Mapping[str, Draft],
    observed: Observed,
) -> Block:
    direct = [
        _describe_one(dependency, drafts[dependency.name], observed) for dependency in unready
    ]
    named = {dependency.name for dependency in unready}
    indirect = [
        f"{name} (required by what it requires): {_state(drafts[name], observed)}"
        for name in awaited
        if name not in named
    ]
    return Block(WAITING_FOR_DEPENDENCY, f"waits for {', '.join((*direct, *indirect))}")


def _bounded_wait(
    draft: Draft,
    drafts: Mapping[str, Draft],
    observed: Observed,
    now: datetime,
    optional: Sequence[Dependency],
) -> Gate:
    degraded = tuple(dependency.name for dependency in optional)
    if not optional:
        return Gate()
    since = _read_since(observed.waiting_since.get(draft.name), now)
    deadline = since + _patience(optional)
    if now >= deadline:
        return Gate(degraded=degraded)
    described = (_describe_one(each, drafts[each.name], observed) for each in optional)
    message = f"waits for {', '.join(described)}"
    return Gate(Block(WAITING_FOR_OPTIONAL, message, deadline - now), format_time(since), degraded)


def _read_since(text: str | None, now: datetime) -> datetime:
    """Read since when is waited; the status can be forged, and nobody waits since the future."""
    try:
        return now if text is None else min(datetime.fromisoformat(text).astimezone(UTC), now)
    except (ValueError, OverflowError):
        return now


def _patience(optional: Sequence[Dependency]) -> timedelta:
    return max(parse_duration(dependency.timeout) for dependency in optional)


def _describe_one(dependency: Dependency, needed: Draft, observed: Observed) -> str:
    kind = "required" if dependency.required else f"optional, at most {dependency.timeout}"
    return f"{dependency.name} ({kind}): {_state(needed, observed)}"


def _state(needed: Draft, observed: Observed) -> str:
    live = live_revision(observed, needed.ref)
    if live is None:
        return "not started"
    if live != needed.revision:
        return "not yet changed"
    ready = ready_pods(observed, needed.name, needed.revision)
    return f"{ready}/{needed.desired} pods ready"
