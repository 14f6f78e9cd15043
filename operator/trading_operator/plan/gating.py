"""Health gates: a component starts or changes only once what it depends on is Ready."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trading_operator.api.common import Dependency, parse_duration
from trading_operator.api.reasons import (
    WAITING_FOR_DEPENDENCY,
    WAITING_FOR_OPTIONAL,
)
from trading_operator.plan.draft import Draft
from trading_operator.plan.readiness import is_ready, live_revision, ready_pods, serves
from trading_operator.plan.types import Block, Observed

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Gate:
    """Whether a component may be started or changed now, and what it goes without."""

    block: Block | None = None
    waiting_since: str | None = None
    degraded: tuple[str, ...] = ()  # optional dependencies that it goes without
    missing: tuple[str, ...] = ()  # required dependencies that do not serve

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

    A component that already runs what the plan wants has no gate: when a dependency fails later,
    it is left as it is and only said to be without it.
    """
    if live_revision(observed, draft.ref) == draft.revision:
        return _without_gate(draft, drafts, observed)
    unready = [d for d in draft.dependencies if not is_ready(observed, drafts[d.name])]
    if any(dependency.required for dependency in unready):
        block = Block(WAITING_FOR_DEPENDENCY, _describe(unready, drafts, observed))
        return replace(_without_gate(draft, drafts, observed), block=block)
    return _bounded_wait(draft, drafts, observed, now, tuple(unready))


def format_time(moment: datetime) -> str:
    """Return a moment in UTC as the API writes it."""
    return moment.strftime(_TIME_FORMAT)


def _without_gate(draft: Draft, drafts: Mapping[str, Draft], observed: Observed) -> Gate:
    lost = [d for d in draft.dependencies if not serves(observed, drafts[d.name])]
    return Gate(
        degraded=tuple(dependency.name for dependency in lost if not dependency.required),
        missing=tuple(dependency.name for dependency in lost if dependency.required),
    )


def _bounded_wait(
    draft: Draft,
    drafts: Mapping[str, Draft],
    observed: Observed,
    now: datetime,
    optional: tuple[Dependency, ...],
) -> Gate:
    degraded = tuple(dependency.name for dependency in optional)
    if not optional:
        return Gate()
    since = observed.waiting_since.get(draft.name) or format_time(now)
    deadline = datetime.fromisoformat(since) + _patience(optional)
    if now >= deadline:
        return Gate(degraded=degraded)
    message = _describe(optional, drafts, observed)
    return Gate(Block(WAITING_FOR_OPTIONAL, message, deadline - now), since, degraded)


def _patience(optional: tuple[Dependency, ...]) -> timedelta:
    return max(parse_duration(dependency.timeout) for dependency in optional)


def _describe(
    unready: list[Dependency] | tuple[Dependency, ...],
    drafts: Mapping[str, Draft],
    observed: Observed,
) -> str:
    return "waits for " + ", ".join(
        _describe_one(dependency, drafts[dependency.name], observed) for dependency in unready
    )


def _describe_one(dependency: Dependency, needed: Draft, observed: Observed) -> str:
    kind = "required" if dependency.required else f"optional, at most {dependency.timeout}"
    live = live_revision(observed, needed.ref)
    ready = ready_pods(observed, needed.name, needed.revision)
    state = "not started" if live is None else f"{ready}/{needed.desired} pods ready"
    if live not in (None, needed.revision):
        state = "not yet changed"
    return f"{dependency.name} ({kind}): {state}"
