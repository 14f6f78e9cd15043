"""The conditions of a trading system, each from the components' lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trading_operator.api import reasons
from trading_operator.api.trading_system import (
    ComponentState,
    ComponentStatus,
    TradingSystemSpec,
)
from trading_operator.observe.rollout import (
    judge_ready,
    judge_reconciling,
    judge_rolled_back,
    judge_stalled,
    judge_validated,
)
from trading_operator.observe.verdict import Verdict, shorten
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Failure, Finding, RolloutPlan

# Who is named first when several are not Ready: the cause before those that wait for it.
_URGENCY = (
    ComponentState.BLOCKED,
    ComponentState.DEGRADED,
    ComponentState.STARTING,
    ComponentState.WAITING,
    ComponentState.STOPPING,
    ComponentState.STOPPED,
)
_MOVING = (ComponentState.STARTING, ComponentState.WAITING, ComponentState.STOPPING)
_OFF = (ComponentState.STOPPING, ComponentState.STOPPED)
_NAMED_OBJECTS = 5


@dataclass(frozen=True)
class Picture:
    """What the conditions are computed from."""

    spec: TradingSystemSpec
    lines: Sequence[ComponentStatus]
    serving: Mapping[str, bool]  # whether any pod of a component that is kept up serves
    failures: Sequence[Failure]  # refused writes that are no component's workload
    findings: Sequence[Finding]
    left: Sequence[str] = ()  # components that left the spec and have not ended
    withheld: Sequence[Ref] = ()  # what waits to be written while the system is paused
    rollout: RolloutPlan | None = None
    why_stopped: str = reasons.HIBERNATED  # should it stop

    @property
    def stops(self) -> bool:
        """Tell whether the system hibernates, or is on its way there."""
        return any(line.state in _OFF for line in self.lines)


def verdicts(picture: Picture) -> tuple[Verdict, ...]:
    """Return all conditions; kstatus reads Reconciling before Stalled."""
    return tuple(judge(picture) for judge in _JUDGES)


def _available(picture: Picture) -> Verdict:
    if picture.stops:
        message = _describe(line for line in picture.lines if line.state in _OFF)
        return Verdict(reasons.AVAILABLE, False, picture.why_stopped, message)
    dispensable = _dispensable(picture.spec)
    idle = [
        line.name
        for line in picture.lines
        if not picture.serving.get(line.name, True) and line.name not in dispensable
    ]
    if not idle:
        return Verdict(reasons.AVAILABLE, True, reasons.SERVING, "every needed component serves")
    return Verdict(
        reasons.AVAILABLE, False, reasons.NOT_SERVING, f"does not serve: {', '.join(idle)}"
    )


def _dispensable(spec: TradingSystemSpec) -> frozenset[str]:
    """Return the components that others use, and all of them can do without."""
    edges = [edge for component in spec.components for edge in component.depends_on]
    required = {edge.name for edge in edges if edge.required}
    return frozenset(edge.name for edge in edges) - required


def _ready(picture: Picture) -> Verdict:
    unready = _unready(picture.lines)
    if picture.failures:
        return Verdict(reasons.READY, False, reasons.REFUSED, _refusals(picture.failures))
    if picture.spec.paused:
        told = f"{_withheld(picture)}; {_describe(unready)}" if unready else _withheld(picture)
        is_settled = not unready and not picture.withheld
        return Verdict(reasons.READY, is_settled, reasons.PAUSED, shorten(told))
    if picture.stops:
        return Verdict(reasons.READY, False, picture.why_stopped, _describe(unready))
    held = judge_ready(picture.rollout)
    if held is not None and not _tells_more(unready, held):
        return held
    if unready:
        return Verdict(reasons.READY, False, unready[0].reason, _describe(unready))
    message = f"all {len(picture.lines)} components are ready"
    return Verdict(reasons.READY, True, reasons.ALL_READY, message)


def _reconciling(picture: Picture) -> Verdict:
    if picture.spec.paused:
        return Verdict(reasons.RECONCILING, False, reasons.PAUSED, _withheld(picture))
    goes_on = judge_reconciling(picture.rollout)
    if goes_on is not None:
        return goes_on
    states = {line.state for line in picture.lines}
    # Who waits for something that only a person mends does not move.
    moving = not states.isdisjoint((ComponentState.STARTING, ComponentState.STOPPING)) or (
        ComponentState.WAITING in states and ComponentState.BLOCKED not in states
    )
    told = [f"left the spec, still there: {', '.join(picture.left)}"] if picture.left else []
    if moving:
        told.append(_describe(line for line in _unready(picture.lines) if line.state in _MOVING))
    if not told:
        return Verdict(reasons.RECONCILING, False, reasons.SETTLED, "no change is on its way")
    return Verdict(reasons.RECONCILING, True, reasons.PROGRESSING, shorten("; ".join(told)))


def _withheld(picture: Picture) -> str:
    """Say what unpausing would write."""
    waiting = [f"{ref.kind} {ref.name}" for ref in picture.withheld]
    named = ", ".join(waiting[:_NAMED_OBJECTS]) + (", …" if len(waiting) > _NAMED_OBJECTS else "")
    what = f"{len(waiting)} objects wait to be written ({named})" if waiting else "nothing waits"
    return f"spec.paused is true: {what}"


def _stalled(picture: Picture) -> Verdict:
    blocked = [line for line in picture.lines if line.state is ComponentState.BLOCKED]
    if blocked:
        return Verdict(reasons.STALLED, True, blocked[0].reason, _describe(blocked))
    if picture.failures:
        return Verdict(reasons.STALLED, True, reasons.REFUSED, _refusals(picture.failures))
    stalled = judge_stalled(picture.rollout)
    if stalled is not None:
        return stalled
    message = "nothing waits for a person"
    return Verdict(reasons.STALLED, False, reasons.NOTHING_STALLED, message)


def _degraded(picture: Picture) -> Verdict:
    worse = [line for line in picture.lines if line.state is ComponentState.DEGRADED]
    if worse:
        return Verdict(reasons.DEGRADED, True, worse[0].reason, _describe(worse))
    message = "nothing that served has stopped"
    return Verdict(reasons.DEGRADED, False, reasons.NOTHING_DEGRADED, message)


def _images_pinned(picture: Picture) -> Verdict:
    if not picture.findings:
        message = "every image has a fixed tag or digest"
        return Verdict(reasons.IMAGES_PINNED, True, reasons.ALL_PINNED, message)
    message = shorten("; ".join(finding.message for finding in picture.findings))
    return Verdict(reasons.IMAGES_PINNED, False, picture.findings[0].reason, message)


def _validated(picture: Picture) -> Verdict:
    blocked = (line for line in picture.lines if line.state is ComponentState.BLOCKED)
    found = {line.name: Finding(line.reason, line.message) for line in blocked}
    return judge_validated(picture.rollout, found)


def _rolled_back(picture: Picture) -> Verdict:
    return judge_rolled_back(picture.rollout)


_JUDGES = (
    _available,
    _ready,
    _reconciling,
    _stalled,
    _degraded,
    _images_pinned,
    _validated,
    _rolled_back,
)


def _tells_more(unready: Sequence[ComponentStatus], held: Verdict) -> bool:
    """Tell whether a component says better than the change why the system is not Ready."""
    blocked = any(line.state is ComponentState.BLOCKED for line in unready)
    return blocked and held.reason == reasons.VALIDATION_FAILED


def _unready(lines: Iterable[ComponentStatus]) -> list[ComponentStatus]:
    waiting = (line for line in lines if line.state is not ComponentState.READY)
    return sorted(waiting, key=lambda line: _URGENCY.index(line.state))


def _describe(lines: Iterable[ComponentStatus]) -> str:
    return shorten("; ".join(f"{line.name}: {line.message}" for line in lines))


def _refusals(failures: Iterable[Failure]) -> str:
    return shorten("; ".join(f"{f.ref.kind} {f.ref.name}: {f.message}" for f in failures))
