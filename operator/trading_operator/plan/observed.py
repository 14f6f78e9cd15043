"""What was seen of the cluster: what those that read hand to the pure layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from trading_operator.api.model_training_status import SelectedModel
from trading_operator.manifests.metadata import Manifest


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
