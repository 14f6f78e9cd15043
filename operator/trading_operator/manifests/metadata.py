"""Names, labels, annotations and owner references of the children."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trading_operator.api.trading_system import KIND as TRADING_SYSTEM

Manifest = dict[str, Any]

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
VERSION = "app.kubernetes.io/version"
OWNER_KIND = "tradingoperator.io/owner-kind"  # of children whose owner is no trading system
ROLE = "tradingoperator.io/role"  # of pods that are no component
JOB_ROLE = "job"  # a system's own Jobs: backups, training, drills
RUN = "tradingoperator.io/run"  # of a Job and its pods: what it does
REQUEST = "tradingoperator.io/request"  # of a Job that was asked for once: by whom, as a digest
LAUNCH_LABEL = "tradingoperator.io/launch"  # of a training's Job: its number within the run
RECIPE_LABEL = "tradingoperator.io/recipe"  # of a training's Job: what decides its result
DEVICE_LABEL = "tradingoperator.io/device"  # of a training's Job: name of the device
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"  # Kueue's own
OPERATOR_ROLE = "operator"  # the chart labels the operator's pods so

OPERATOR_NAME = "trading-operator"
MANAGED_BY_SELECTOR = f"{MANAGED_BY}={OPERATOR_NAME}"

COMMAND_PREFIX = "tradingoperator.io/"  # of annotations that ask for something once
ADOPT_ANNOTATION = f"{COMMAND_PREFIX}adopt-rendering"
REVISION_ANNOTATION = "tradingoperator.io/revision"
RENDERING_ANNOTATION = "tradingoperator.io/rendering"
TRADING_STATE_ANNOTATION = "tradingoperator.io/trading-state"  # that a pod was told of
MODELS_ANNOTATION = "tradingoperator.io/models"  # digest of the selected models, told to a pod
SCHEDULED_ANNOTATION = "tradingoperator.io/scheduled-for"  # of a training's Job
CHAMPION_ANNOTATION = "tradingoperator.io/champion"  # that a training's version is compared with
HALTED_BY_ANNOTATION = "tradingoperator.io/halted-by"  # of the trading state: a Restore
HALTED_BY_UID_ANNOTATION = "tradingoperator.io/halted-by-uid"  # of that Restore
OLD_COMMAND_ANNOTATION = "tradingoperator.io/old-command"  # that stood before the halt began
RESUME_ANNOTATION = "tradingoperator.io/resume-replicas"  # of an autoscaled one that hibernates
SIZE_ANNOTATION = "tradingoperator.io/size"  # that the operator asked for, of a claim
BACKUP_OF_ANNOTATION = "tradingoperator.io/backup-of"  # of a repository's claim: the system
MADE_FOR_ANNOTATION = "tradingoperator.io/made-for"  # uid of the system that made a claim

_NO_LABEL = re.compile(r"[^A-Za-z0-9._-]")
_LABEL_LENGTH = 63


@dataclass(frozen=True)
class Owner:
    """The resource that a plan is for."""

    api_version: str
    kind: str
    name: str
    namespace: str
    uid: str
    generation: int
    commands: Mapping[str, str] = field(default_factory=dict)  # asked for once, by name


@dataclass(frozen=True)
class Part:
    """One component of an owner, as its objects are named and labelled."""

    owner: Owner
    component: str
    app: str
    version: str

    @property
    def name(self) -> str:
        """Return the name of the component's workload."""
        return child_name(self.owner, self.component)


def child_name(owner: Owner, suffix: str) -> str:
    """Return `<system>-<suffix>`; the API bounds both so that it fits every kind."""
    return f"{owner.name}-{suffix}"


def label_value(text: str) -> str:
    """Turn any text into a valid label value."""
    return _NO_LABEL.sub("-", text)[:_LABEL_LENGTH].strip("-_.")


def build_system_labels(owner: Owner) -> dict[str, str]:
    """Build the labels of everything that belongs to a system."""
    return {INSTANCE: owner.name, PART_OF: owner.name, MANAGED_BY: OPERATOR_NAME}


def build_labels_within(system: str, owner: Owner) -> dict[str, str]:
    """Build the labels of everything that belongs to a resource which serves a trading system."""
    return {
        INSTANCE: owner.name,
        PART_OF: system,
        MANAGED_BY: OPERATOR_NAME,
        OWNER_KIND: owner.kind,
    }


def build_own_selector(owner: Owner) -> dict[str, str]:
    """Build the labels that select all pods of a resource which serves a trading system."""
    return {INSTANCE: owner.name, OWNER_KIND: owner.kind, MANAGED_BY: OPERATOR_NAME}


def owner_of_labels(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the kind and the name of the resource that an object with these labels belongs to."""
    kind = labels.get(OWNER_KIND)
    name = labels.get(PART_OF if kind is None else INSTANCE)
    return (kind or TRADING_SYSTEM, name) if name else None


def build_part_labels(part: Part) -> dict[str, str]:
    """Build the labels of everything that belongs to one component."""
    return {
        **build_system_labels(part.owner),
        NAME: label_value(part.app),
        COMPONENT: part.component,
        VERSION: label_value(part.version),
    }


def build_system_selector(owner: Owner) -> dict[str, str]:
    """Build the labels that select all pods of a system."""
    return {PART_OF: owner.name, MANAGED_BY: OPERATOR_NAME}


def build_selector(owner: Owner, component: str) -> dict[str, str]:
    """Build the labels that select the pods of one component; they never change."""
    return {**build_system_selector(owner), COMPONENT: component}


def build_owner_reference(owner: Owner) -> Manifest:
    """Build the reference by which the garbage collector finds the owner."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def build_metadata(owner: Owner, name: str, labels: dict[str, str]) -> Manifest:
    """Build the metadata of an owned child: it goes when its owner goes."""
    return {
        **build_ownerless_metadata(owner, name, labels),
        "ownerReferences": [build_owner_reference(owner)],
    }


def build_ownerless_metadata(owner: Owner, name: str, labels: dict[str, str]) -> Manifest:
    """Build the metadata of a child that outlives its owner: data and what opens it."""
    return {"name": name, "namespace": owner.namespace, "labels": labels}
