"""What the pure layers and the I/O layers hand each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.model_training_status import SelectedModel
from trading_operator.engines.base import OperandSettings, SecretRequest
from trading_operator.manifests.metadata import Manifest, Owner

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
    "AskedBackup",
    "BackupFacts",
    "Block",
    "Capacity",
    "ComponentDiff",
    "ComponentPlan",
    "FailedProbe",
    "Failure",
    "Finding",
    "Halt",
    "InvalidSpecError",
    "JobPodFacts",
    "Manifest",
    "ModelNotice",
    "Observed",
    "OperandSettings",
    "Owner",
    "Plan",
    "PodFacts",
    "PodFault",
    "Quota",
    "Ref",
    "RestoreFacts",
    "RevisionState",
    "RolloutFacts",
    "RolloutPlan",
    "SecretFacts",
    "SecretRequest",
    "Selection",
    "StateNotice",
    "StoredRevision",
    "ref_of",
    "told_state",
]


class Ref(NamedTuple):
    """Names a child within the owner's namespace."""

    kind: str
    name: str


def ref_of(manifest: Manifest) -> Ref:
    """Return the reference of a manifest."""
    return Ref(manifest["kind"], manifest["metadata"]["name"])


@dataclass(frozen=True)
class PodFault:
    """A failure that a pod's containers tell of."""

    reason: str  # as the kubelet calls it: ErrImagePull, Error, OOMKilled
    message: str
    hard: bool  # it will not pass by itself
    at: str = ""  # when it happened (RFC 3339), where that is known
    runs: bool = False  # the program ran and ended: what it needs may have been away


@dataclass(frozen=True)
class FailedProbe:
    """How often one probe of a pod has failed."""

    count: int
    words: str = ""  # what the kubelet says of it
    seconds: float = 0.0  # from the first failure to the last


@dataclass(frozen=True)
class PodFacts:
    """What is read of a pod: enough to say what it runs, whether it is ready and why not."""

    name: str
    component: str
    revision: str  # the component's digest that the pod was made from, "" when absent
    phase: str
    ready: bool
    deleting: bool
    restarts: int
    reason: str  # first waiting/terminated/scheduling reason that keeps it from being ready
    message: str
    started: bool
    trading_state: str = ""  # the one that the pod was told of, "" when of none
    models: str = ""  # digest of the models that the pod was told of, "" when of none
    template: str = ""  # the StatefulSet's revision that it was made from, "" when of none
    controlled: bool = True  # False: its workload was deleted and left it behind
    fault: PodFault | None = None
    created_at: str = ""
    ready_since: str = ""  # when `ready` last changed (RFC 3339)
    started_at: str = ""  # since when its containers run, "" while one does not
    # By kind (Readiness, Liveness, Startup), as the kubelet's events count them.
    failed_probes: Mapping[str, FailedProbe] = field(default_factory=dict)
    address: str = ""  # while it runs


@dataclass(frozen=True)
class JobPodFacts(PodFacts):
    """What is read of a Job's pod besides."""

    job_uid: str = ""
    said: str = ""  # what its program left behind
    scheduled: bool = False  # a node was found for it
    program_began: str = ""  # when its program ran first
    program_ended: str = ""  # "" while it runs


@dataclass(frozen=True)
class SecretFacts:
    """What is read of a Secret: its keys, never its values."""

    name: str
    keys: frozenset[str]
    digest: str  # of the values, so that a change can be seen without keeping them
    labels: Mapping[str, str] = field(default_factory=dict)
    claims: frozenset[str] = frozenset()  # uids of the volume claims that it goes with


@dataclass(frozen=True)
class RevisionState:
    """What is written about a revision beside its data, and may change."""

    outcome: str = ""  # Unproven, Good, Failed, Withdrawn; "" when nobody has said
    adopted: str = ""  # value of the command that adopted its renderings, "" for none
    retried: str = ""  # value of the command that had it tried again
    component: str = ""  # by which it failed
    reason: str = ""
    message: str = ""  # the component's last words
    return_to: str = ""  # digest of the revision that a person went back to instead
    asked: str = ""  # value of the command that asked for it


@dataclass(frozen=True)
class StoredRevision:
    """What was rendered of the whole system at one time, and kept in the cluster."""

    name: str
    number: int  # higher for every one that comes into force
    packed: bytes  # its data
    state: RevisionState = RevisionState()


@dataclass(frozen=True)
class RolloutFacts:
    """What the last status said of the newest change: times that are nowhere else."""

    phase: str = ""
    revision: str = ""
    asked: str = ""  # revision of the change itself
    since: str = ""  # when its phase, or the wait for a backup in it, began
    progressed_at: str = ""
    ready: int = 0
    baking_since: str = ""
    handled: Mapping[str, str] = field(default_factory=dict)  # values of commands


@dataclass(frozen=True)
class AskedBackup:
    """How far a backup is that was asked for: of api.backup_status.Request."""

    outcome: str
    message: str = ""
    targets: frozenset[str] = frozenset()  # that its set holds, as the run said


@dataclass(frozen=True)
class BackupFacts:
    """What is read of the Backup that a system's changes, or its end, wait for."""

    name: str
    system: str  # that it is of
    asked: Mapping[str, AskedBackup] = field(default_factory=dict)  # by who asked, as a digest
    trouble: str = ""  # why it takes no backups now


@dataclass(frozen=True)
class RestoreFacts:
    """A Restore that is under way: what uses its targets is stopped."""

    name: str
    targets: frozenset[str]  # names of datastores and volumes
    uid: str = ""


@dataclass(frozen=True)
class Halt:
    """Because of which Restore no order is sent, whatever the spec says."""

    restore: str  # its name, which an earlier one may have had
    uid: str = ""
    old_command: str = ""  # that names it and stood before it began: it means an earlier one


@dataclass(frozen=True)
class Selection:
    """What one ModelTrainingJob says of its line of models to the system."""

    service: str
    type: str
    timeframe: str
    owner: str  # name of the ModelTrainingJob
    model: SelectedModel | None = None
    spoke: bool = False  # it has ever selected one: without a model the line is empty


@dataclass(frozen=True)
class Quota:
    """A ResourceQuota of the namespace: what it allows and what is used of it."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]


@dataclass(frozen=True)
class Capacity:
    """What the cluster has for new pods."""

    quotas: tuple[Quota, ...] = ()
    nodes: tuple[Mapping[str, str], ...] | None = None  # allocatable; None: may not be read


@dataclass(frozen=True)
class Observed:
    """The state of the world that a plan starts from.

    `children` holds every live object that carries our labels and the owner's uid or that has
    the name of a planned child; `foreign` names planned children that exist but are not ours.
    """

    children: Mapping[Ref, Manifest] = field(default_factory=dict)
    foreign: frozenset[Ref] = frozenset()
    pods: tuple[PodFacts, ...] = ()
    revisions: tuple[StoredRevision, ...] = ()
    secrets: Mapping[str, SecretFacts] = field(default_factory=dict)
    config_maps: frozenset[str] = frozenset()
    config_digests: Mapping[str, str] = field(default_factory=dict)
    storage_classes: frozenset[str] | None = None  # None: may not be read
    default_storage_class: str | None = None
    fixed_classes: frozenset[str] = frozenset()  # StorageClasses whose volumes cannot grow
    waiting_since: Mapping[str, str] = field(default_factory=dict)
    opened: Mapping[str, str] = field(default_factory=dict)  # component -> uid of its claim
    rollout: RolloutFacts = RolloutFacts()
    capacity: Capacity | None = None  # None: it was not looked at
    backup: BackupFacts | None = None  # that rollout.backupBefore names; None: there is none
    restore: RestoreFacts | None = None
    halt: Halt | None = None
    selections: tuple[Selection, ...] = ()  # what ModelTrainingJobs say of their lines


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
