"""What a plan decides: what the pure layers hand to those that write and report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from trading_operator.api.errors import InvalidSpecError
from trading_operator.engines.base import OperandSettings, SecretRequest
from trading_operator.manifests.metadata import Manifest, Owner
from trading_operator.plan.observed import Ref

DEPLOYMENT = "Deployment"
STATEFUL_SET = "StatefulSet"
WORKLOAD_KINDS = (DEPLOYMENT, STATEFUL_SET)  # the kinds that keep pods up
STATE_KEY = "trading_state"  # of the ConfigMap that tells services which orders they may send

__all__ = [
    "DEPLOYMENT",
    "STATEFUL_SET",
    "STATE_KEY",
    "WORKLOAD_KINDS",
    "Applied",
    "Block",
    "ComponentDiff",
    "ComponentPlan",
    "Failure",
    "Finding",
    "InvalidSpecError",
    "Manifest",
    "ModelNotice",
    "OperandSettings",
    "Owner",
    "Plan",
    "RolloutPlan",
    "SecretRequest",
    "StateNotice",
    "told_state",
]


@dataclass(frozen=True)
class Block:
    """Why a component may not be started or changed now."""

    reason: str
    message: str
    requeue_after: timedelta | None = None


class Finding(NamedTuple):
    """Something that works and should not stay so."""

    reason: str
    message: str


@dataclass(frozen=True)
class ComponentPlan:
    """What the plan decided for one component of the graph."""

    name: str
    kind: str  # Datastore | Service
    workload: Ref
    revision: str
    desired: int
    block: Block | None = None
    running: bool = False  # its workload is there, in whatever revision
    degraded: tuple[str, ...] = ()  # optional dependencies that it runs without
    missing: tuple[str, ...] = ()  # required dependencies that it lost while running
    waiting_since: str | None = None  # since when an optional dependency is waited for
    stops: bool = False  # it has stopped, or is on its way there; `block` says how far
    findings: tuple[Finding, ...] = ()
    enough: int | None = None  # pods with which it counts as Ready; None: all that are desired
    notes: tuple[Finding, ...] = ()  # to be said though it is Ready; no reason: nothing is amiss
    claim: Ref | None = None  # of a datastore's volume
    held: bool = False  # a change would add it, and has not begun
    stopped_by: str = ""  # the Restore because of which it `stops`; "": the system hibernates


def told_state(file: Manifest) -> str:
    """Return the trading state that a live ConfigMap says."""
    return str((file.get("data") or {}).get(STATE_KEY, "")).strip()


@dataclass(frozen=True)
class StateNotice:
    """The trading state, where services read it, and the pods that have not heard of it."""

    state: str
    file: Ref
    pods: tuple[str, ...] = ()

    def told(self, children: Mapping[Ref, Manifest]) -> str | None:
        """Return the state that the file says now, None when there is no file."""
        live = children.get(self.file)
        return None if live is None else told_state(live)


@dataclass(frozen=True)
class ModelNotice:
    """The models that services are told to trade with, and the pods that have not heard of them."""

    file: Ref
    content: Mapping[str, str]
    pods: Mapping[str, str] = field(default_factory=dict)  # name -> digest of its service's file

    def is_written(self, children: Mapping[Ref, Manifest]) -> bool:
        """Tell whether the live file says it."""
        data = children.get(self.file, {}).get("data") or {}
        return all(data.get(key) == text for key, text in self.content.items())


@dataclass(frozen=True)
class ComponentDiff:
    """What a change would do to one component's workload; None where there is none."""

    name: str
    before: Manifest | None
    after: Manifest | None
    moved: bool = False  # its Service, Ingress, autoscaler or disruption budget would change


@dataclass(frozen=True)
class RolloutPlan:
    """Where the change that the spec asks for stands; reasons and texts are for the status."""

    phase: str  # of api.rollout.RolloutPhase
    desired: str  # revision that the spec asks for
    kept_up: str  # revision that is kept up
    last_good: str = ""
    is_change: bool = False  # there is a good revision that a failed change goes back to
    by_hand: bool = False  # a person went back
    hold: Finding | None = None  # why it has not begun
    component: str = ""  # by which it failed
    fault: Finding | None = None  # why it failed
    stays: str = ""  # why it does not go back though it fails, a reason
    progressed_at: str | None = None
    ready: int | None = None
    baking_since: str | None = None
    good_at: str = ""  # when it is proven good, should nothing fail
    problems: tuple[Finding, ...] = ()  # what keeps the spec from being carried out
    warnings: tuple[str, ...] = ()
    complaint: str = ""  # about a command that cannot be carried out


@dataclass(frozen=True)
class Plan:
    """What should be there. `prune` lists owned children that left the spec."""

    objects: tuple[Manifest, ...] = ()
    generated_secrets: tuple[SecretRequest, ...] = ()
    prune: tuple[Ref, ...] = ()
    # StatefulSets that differ in what cannot be changed, as they will be made anew: they are
    # deleted without their pods, which the next one takes over.
    recreate: tuple[Manifest, ...] = ()
    replace_pods: tuple[str, ...] = ()  # pods of StatefulSets that still run an old template
    components: tuple[ComponentPlan, ...] = ()
    revision: str = ""
    rendering: Ref | None = None  # where what was rendered is stored
    # Revisions of which something new is said. Without it nothing else is written.
    verdicts: tuple[Manifest, ...] = ()
    rollout: RolloutPlan | None = None  # None: nobody watches, the system sleeps or is paused
    desired_revision: str = ""
    last_good_revision: str = ""
    dry_run: tuple[ComponentDiff, ...] | None = None  # None: nobody asked
    handled: Mapping[str, str] = field(default_factory=dict)  # values of commands, by name
    wants_capacity: bool = False  # planned again once quotas and nodes are known
    generation: int = 0  # of the spec that was planned
    requeue_after: timedelta | None = None
    trading_state: StateNotice | None = None
    models: ModelNotice | None = None
    halted_by: str = ""  # the Restore because of which no order is sent
    left: tuple[str, ...] = ()  # components that left the spec and have not ended
    withheld: tuple[Ref, ...] = ()  # what waits to be written while the system is paused


@dataclass(frozen=True)
class Failure:
    """A write that the API server refused, kept for the status."""

    ref: Ref
    status: int
    message: str


@dataclass(frozen=True)
class Applied:
    """A plan that was written: only this may be reported on."""

    plan: Plan
    children: Mapping[Ref, Manifest]
    failures: tuple[Failure, ...] = ()
    writes: int = 0
