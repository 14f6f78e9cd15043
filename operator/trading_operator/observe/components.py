"""One line per component: where it stands and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trading_operator.api.reasons import (
    DEPENDENCY_LOST,
    HIBERNATED,
    REFUSED,
    RESTORING,
    WAITING_REASONS,
    WITHOUT_OPTIONAL,
)
from trading_operator.api.trading_system import ComponentState, ComponentStatus
from trading_operator.observe.pods import Why, why_not_ready
from trading_operator.plan.observed import Observed
from trading_operator.plan.readiness import component_pods, ready_pods, template_revision
from trading_operator.plan.types import Applied, ComponentPlan, Failure

_MESSAGE_LENGTH = 1024
_SERVED = frozenset({ComponentState.READY.value, ComponentState.DEGRADED.value})


@dataclass(frozen=True)
class ComponentView:
    """A component with all that its line is made from."""

    plan: ComponentPlan
    live: Mapping[str, Any] | None  # the workload
    ready: int  # pods of the live template that serve
    why: Why | None  # why its pods are not all ready
    failure: Failure | None
    previous: Mapping[str, Any]  # its former line
    volume_uid: str | None = None  # of the claim that a datastore was started with

    @property
    def is_current(self) -> bool:
        """Tell whether the live template is the planned one."""
        return self.live is not None and template_revision(dict(self.live)) == self.plan.revision


def component_lines(
    applied: Applied, observed: Observed, previous: Mapping[str, Any]
) -> list[ComponentStatus]:
    """Return the lines of all components, in start order."""
    before = {line["name"]: line for line in previous.get("components") or ()}
    views = (_view(applied, observed, p, before.get(p.name, {})) for p in applied.plan.components)
    return [_line(view) for view in views]


def _view(
    applied: Applied, observed: Observed, plan: ComponentPlan, previous: Mapping[str, Any]
) -> ComponentView:
    live = applied.children.get(plan.workload)
    pods = component_pods(observed, plan.name)
    revision = plan.revision if live is None else template_revision(live)
    ready = ready_pods(observed, plan.name, revision)
    current = [pod for pod in pods if pod.revision == revision]
    enough = plan.desired if plan.enough is None else plan.enough
    why = None if ready >= enough else why_not_ready(current, live, previous)
    failure, volume = _failure(applied.failures, plan), _volume_uid(applied, plan, previous)
    return ComponentView(plan, live, ready, why, failure, previous, volume)


def _failure(failures: Sequence[Failure], plan: ComponentPlan) -> Failure | None:
    own = (plan.workload, plan.claim)
    return next((failure for failure in failures if failure.ref in own), None)


def _volume_uid(applied: Applied, plan: ComponentPlan, previous: Mapping[str, Any]) -> str | None:
    """Return the claim that a datastore was started with, as long as no other one is."""
    claim = None if plan.claim is None else applied.children.get(plan.claim)
    if claim is None or plan.workload not in applied.children:
        return previous.get("volumeUid")
    return str(claim["metadata"]["uid"])


def _line(view: ComponentView) -> ComponentStatus:
    state, why = _judge(view)
    if state is ComponentState.READY:
        why = _note(view.plan)
    return ComponentStatus(
        name=view.plan.name,
        kind=view.plan.kind,
        state=state,
        ready=view.ready,
        desired=view.plan.desired,
        revision=view.plan.revision,
        reason=why.reason,
        message=why.message[:_MESSAGE_LENGTH],
        waiting_since=view.plan.waiting_since,
        volume_uid=view.volume_uid,
    )


def _note(plan: ComponentPlan) -> Why:
    """Return what is to be said of a component that is Ready: what is amiss comes first."""
    notes = sorted(plan.notes, key=lambda note: not note.reason)
    return Why(notes[0].reason if notes else "", "; ".join(note.message for note in notes))


def _judge(view: ComponentView) -> tuple[ComponentState, Why]:
    """Return where a component stands; what a person must mend comes first."""
    return next((found for judge in _JUDGES if (found := judge(view)) is not None), _READY)


_Judgement = tuple[ComponentState, Why]
_READY: _Judgement = (ComponentState.READY, Why("", ""))


def _blocked(view: ComponentView) -> _Judgement | None:
    block = view.plan.block
    if block is not None and block.reason not in WAITING_REASONS and not view.plan.stops:
        return ComponentState.BLOCKED, Why(block.reason, block.message)
    if view.failure is not None:
        kind, name = view.failure.ref
        return ComponentState.BLOCKED, Why(REFUSED, f"{kind} {name}: {view.failure.message}")
    return None


def _stopping(view: ComponentView) -> _Judgement | None:
    if not view.plan.stops:
        return None
    block = view.plan.block
    if block is not None:
        return ComponentState.STOPPING, Why(block.reason, block.message)
    if view.plan.stopped_by:
        message = f"has no pods while Restore {view.plan.stopped_by} is under way"
        return ComponentState.STOPPED, Why(RESTORING, message)
    return ComponentState.STOPPED, Why(HIBERNATED, "has no pods while spec.hibernated is true")


def _lost(view: ComponentView) -> _Judgement | None:
    if not view.plan.missing or view.live is None or not view.live["spec"].get("replicas", 1):
        return None
    names = ", ".join(view.plan.missing)
    message = f"lost {names} (required): left as it is, not started or changed until that is back"
    return ComponentState.DEGRADED, Why(DEPENDENCY_LOST, message)


def _waiting(view: ComponentView) -> _Judgement | None:
    block = view.plan.block
    if block is None:
        return None
    change = "its change " if view.plan.running else ""
    return ComponentState.WAITING, Why(block.reason, f"{change}{block.message}")


def _unready(view: ComponentView) -> _Judgement | None:
    if view.why is None and view.is_current:
        return None
    why = view.why or why_not_ready((), None, view.previous)
    served = (
        view.previous.get("state") in _SERVED
        and view.previous.get("revision") == view.plan.revision
        and view.is_current
    )
    return (ComponentState.DEGRADED if served else ComponentState.STARTING), why


def _without_optional(view: ComponentView) -> _Judgement | None:
    if not view.plan.degraded:
        return None
    message = f"runs without {', '.join(view.plan.degraded)} (optional)"
    return ComponentState.DEGRADED, Why(WITHOUT_OPTIONAL, message)


_JUDGES = (_blocked, _stopping, _lost, _waiting, _unready, _without_optional)
