"""Backup: the data of a trading system, copied, kept, and proven by restoring it."""

from typing import Any

from pydantic import ConfigDict, Field

from trading_operator.api.backup_parts import (
    Assertion,
    Destination,
    Encryption,
    HistoryLimits,
    Hooks,
    Objectives,
    Retention,
    Schedule,
    Scratch,
    Target,
    Verification,
)
from trading_operator.api.backup_status import MAX_TARGETS, BackupStatus
from trading_operator.api.common import (
    Duration,
    Model,
    Name,
    Resources,
    map_list,
    name_rule,
    rule,
    rules,
)

KIND = "Backup"
PLURAL = "backups"
SHORT_NAME = "tsbak"
MAX_BACKUP_NAME = 27  # as rollout.backupBefore names it


class BackupSpec(Model):
    """What is backed up, when, where to, and how it is proven."""

    system: Name = Field(
        description="Name of the trading system, in the same namespace.",
        json_schema_extra=rules(
            rule("self == oldSelf", "system is immutable: make another Backup for another system")
        ),
    )
    targets: list[Target] = Field(
        default_factory=list,
        max_length=MAX_TARGETS,
        description="Datastores and volumes that make one consistent set. Default: all that the "
        "system has.",
        json_schema_extra=map_list(),
    )
    schedule: Schedule | None = Field(
        None, description="When backups are taken. Default: once, as soon as possible."
    )
    suspend: bool = Field(
        False,
        description="true: no run begins by its schedule; one that is under way ends. "
        "Default: false.",
    )
    destination: Destination = Field(description="Where the repository is.")
    encryption: Encryption = Field(
        default_factory=Encryption, description="How the repository is encrypted; it always is."
    )
    retention: Retention | None = Field(
        None, description="Which backups stay. Default: all of them."
    )
    verify: Verification = Field(
        default_factory=Verification, description="How backups are proven."
    )
    objectives: Objectives | None = Field(
        None, description="What a loss may cost at most. Default: nothing is promised."
    )
    hooks: Hooks = Field(
        default_factory=Hooks, description="Requests to services before and after each backup."
    )
    assertions: list[Assertion] = Field(
        default_factory=list,
        max_length=32,
        description="Statements that must be true of restored data; drills ask them.",
        json_schema_extra=map_list(),
    )
    resources: Resources = Field(
        default_factory=Resources, description="Compute resources of the pods that do the work."
    )
    scratch: Scratch | None = Field(
        None,
        description="Room that a run needs for itself: a physical backup for a copy of the "
        "database, a drill for the restored one. Default: the node's own disk.",
    )
    deadline: Duration = Field(
        "6h", description="How long a run may take, its repetitions included. Default: 6h."
    )
    history_limits: HistoryLimits = Field(
        default_factory=HistoryLimits, description="How many finished Jobs stay."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.destination.s3) || "
                "(has(self.encryption) && has(self.encryption.passwordSecretRef))",
                "backups in a bucket outlive this cluster, and a generated password would not: set "
                "encryption.passwordSecretRef",
                fieldPath=".encryption",
            ),
            rule(
                "!has(self.destination.volume) || !has(self.destination.volume.claimName) || "
                "(has(self.encryption) && has(self.encryption.passwordSecretRef))",
                "the operator generates a password for a volume of its own alone: set "
                "encryption.passwordSecretRef",
                fieldPath=".encryption",
            ),
            rule(
                "!has(self.objectives) || !has(self.objectives.rto) || "
                "(has(self.verify) && has(self.verify.restoreDrill))",
                "rto is measured by restore drills: set verify.restoreDrill",
                fieldPath=".objectives",
            ),
            rule(
                "!has(self.objectives) || !has(self.objectives.rpo) || has(self.schedule)",
                "rpo needs backups again and again: set schedule",
                fieldPath=".objectives",
            ),
            rule(
                "!has(self.deadline) || duration(self.deadline) >= duration('1m')",
                "deadline must be at least 1m",
                fieldPath=".deadline",
            ),
            rule(
                "!has(self.destination.s3) || !has(self.deadline) || "
                "duration(self.deadline) >= duration('1h')",
                "with a bucket deadline must be at least 1h: a run may wait half an hour for the "
                "lock of one that was killed",
                fieldPath=".deadline",
            ),
            rule(
                "!has(self.assertions) || !has(self.targets) || size(self.targets) == 0 || "
                "[self.targets.map(t, t.name)].all(names, "
                "!self.assertions.exists(a, !(a.target in names)))",
                "assertions[].target names what is no target; add it to targets, or mend the name",
                fieldPath=".assertions",
            ),
        )
    )


class Backup(Model):
    """Backups of a trading system: taken once or by schedule, encrypted, kept, and proven."""

    spec: BackupSpec = Field(description="What is backed up, when, where to, and how it is proven.")
    status: BackupStatus | None = Field(
        None, description="What the operator last saw; written by the operator alone."
    )


def printer_columns() -> list[dict[str, Any]]:
    """Build the columns of `kubectl get backups`."""
    return [
        {"name": "System", "type": "string", "jsonPath": ".spec.system"},
        {"name": "LastSuccess", "type": "date", "jsonPath": ".status.lastSuccess"},
        {"name": "Size", "type": "string", "jsonPath": ".status.size"},
        {"name": "Verified", "type": "date", "jsonPath": ".status.lastVerifiedRestore.at"},
        # A time to come: `date` would print <invalid>.
        {"name": "NextRun", "type": "string", "jsonPath": ".status.nextRun"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def root_rules() -> list[dict[str, str]]:
    """Build the rules on the whole object: derived names must fit."""
    return [name_rule(MAX_BACKUP_NAME)]
