"""Restore: what a Backup holds, brought back into the datastores and volumes of its system."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from trading_operator.api.backup import MAX_BACKUP_NAME
from trading_operator.api.backup_status import (
    MAX_COMPARISONS,
    MAX_TARGETS,
    Comparison,
    Count,
    JobName,
    Moment,
    SetId,
    Word,
    Words,
)
from trading_operator.api.common import (
    Condition,
    Duration,
    Model,
    Name,
    map_list,
    name_rule,
    rule,
    rules,
)

KIND = "Restore"
PLURAL = "restores"
SHORT_NAME = "tsrestore"
_TIME: dict[str, Any] = {"format": "date-time"}


class RestoreMode(StrEnum):
    """Into what is restored."""

    EMPTY = "Empty"
    IN_PLACE = "InPlace"


class RestorePhase(StrEnum):
    """Where a Restore stands."""

    PENDING = "Pending"  # something must come first
    STOPPING = "Stopping"  # what uses the data stops
    SAVING = "Saving"  # a backup of what will be replaced is taken
    RESTORING = "Restoring"
    SUCCEEDED = "Succeeded"  # the data are back, and what uses them starts again
    FAILED = "Failed"


OVER = frozenset({RestorePhase.SUCCEEDED, RestorePhase.FAILED})
# While one is at these, what uses its targets is stopped, and backups rest.
HOLDING = frozenset({RestorePhase.STOPPING, RestorePhase.SAVING, RestorePhase.RESTORING})
LATEST = "latest"


class RestoreSpec(Model):
    """What is restored, and into what."""

    backup: Name = Field(description="Name of the Backup, in the same namespace.")
    set: Annotated[str, Field(pattern=r"^(latest|[0-9]{8}T[0-9]{6}Z)$", max_length=16)] = Field(
        LATEST,
        description="Set that is restored, e.g. 20261130T030000Z. Default: latest, the newest one "
        "when the Restore begins.",
    )
    targets: list[Name] = Field(
        default_factory=list,
        max_length=MAX_TARGETS,
        description="Datastores and volumes that are restored. Default: all that the Backup has.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    mode: RestoreMode = Field(
        RestoreMode.EMPTY,
        description="Empty: into targets that hold nothing; one that holds something is refused. "
        "InPlace: what the targets hold is replaced. Default: Empty.",
    )
    confirm: Name | None = Field(
        None,
        description="Name of the trading system whose data are replaced, for mode InPlace.",
    )
    safety_backup: bool = Field(
        True,
        description="Whether a verified backup of what is replaced is taken first, for mode "
        "InPlace. Default: true.",
    )
    deadline: Duration = Field("6h", description="How long the Job may take. Default: 6h.")

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self == oldSelf", "a Restore is carried out once: make another one"),
            rule(
                "!has(self.mode) || self.mode != 'InPlace' || has(self.confirm)",
                "InPlace replaces data: set confirm to the name of the trading system",
                fieldPath=".confirm",
            ),
            rule(
                "!has(self.deadline) || duration(self.deadline) >= duration('1m')",
                "deadline must be at least 1m",
                fieldPath=".deadline",
            ),
        )
    )


class RestoreStatus(Model):
    """What the operator last saw."""

    observed_generation: int = Field(
        0, ge=0, description="Generation of the spec that this status was computed from."
    )
    phase: RestorePhase = Field(
        RestorePhase.PENDING,
        description="Pending, Stopping (what uses the data), Saving (a backup of what will be "
        "replaced), Restoring, Succeeded or Failed.",
    )
    system: Word | None = Field(None, description="The trading system.")
    targets: list[Name] = Field(
        default_factory=list,
        max_length=MAX_TARGETS,
        description="Datastores and volumes that are restored.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    set: SetId | None = Field(None, description="The set that is restored.")
    held_since: Moment | None = Field(
        None,
        description="Since when what uses the targets stops for it (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    data_as_of: Moment | None = Field(
        None,
        description="Until when the set holds the data (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    job: JobName | None = Field(None, description="Name of its Job.")
    started_at: Moment | None = Field(
        None, description="When its Job began (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    ended_at: Moment | None = Field(
        None, description="When it was over (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    seconds: Count | None = Field(None, description="Seconds that the restore took.")
    progress: Annotated[str, Field(max_length=320)] | None = Field(
        None, description="What its Job does now, e.g. `Restoring timescaledb, 1 of 3`."
    )
    remaining_seconds: Count | None = Field(
        None, description="Seconds that the current step will take, as earlier sets say."
    )
    message: Words | None = Field(None, description="What it waits for, or why it failed.")
    comparison: list[Comparison] = Field(
        default_factory=list,
        max_length=MAX_COMPARISONS,
        description="The first of the facts that were compared with those of the backup.",
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Reconciling (it is under way), Stalled (a person must mend something), "
        "Succeeded (the data are back).",
        json_schema_extra=map_list("type"),
    )


class Restore(Model):
    """Brings back what a Backup holds: once, and into what is empty unless it is confirmed."""

    spec: RestoreSpec = Field(description="What is restored, and into what.")
    status: RestoreStatus | None = Field(
        None, description="What the operator last saw; written by the operator alone."
    )


def printer_columns() -> list[dict[str, Any]]:
    """Build the columns of `kubectl get restores`."""
    return [
        {"name": "Backup", "type": "string", "jsonPath": ".spec.backup"},
        {"name": "Set", "type": "string", "jsonPath": ".status.set"},
        {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Progress", "type": "string", "jsonPath": ".status.progress", "priority": 1},
        {"name": "Seconds", "type": "integer", "jsonPath": ".status.seconds"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def root_rules() -> list[dict[str, str]]:
    """Build the rules on the whole object: derived names must fit."""
    return [name_rule(MAX_BACKUP_NAME)]
