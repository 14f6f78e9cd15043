"""How a trading system goes when it is deleted."""

from enum import StrEnum

from pydantic import ConfigDict, Field

from trading_operator.api.common import Duration, Model, Name, rule, rules


class VolumePolicy(StrEnum):
    """What becomes of the volumes when the system is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"
    SNAPSHOT = "Snapshot"


class Deletion(Model):
    """How the system goes when it is deleted."""

    volumes: VolumePolicy = Field(
        VolumePolicy.RETAIN,
        description="Retain keeps the volumes and the generated passwords that open them, Delete "
        "deletes both with the system, Snapshot does so for what a last verified backup by the "
        "Backup of `backup` holds, and keeps them when that fails. A component that leaves the "
        "spec keeps its volume either way. Default: Retain.",
    )
    backup: Name | None = Field(
        None,
        description="Name of the Backup that takes the last backup, for volumes: Snapshot. It is "
        "taken once the services have stopped.",
    )
    backup_deadline: Duration = Field(
        "1h",
        description="How long the last backup may take, from the deletion on; after it the volumes "
        "stay. Default: 1h.",
    )
    stop_deadline: Duration = Field(
        "2m",
        description="How long an ordered stop (dependants first) may take when the system is "
        "deleted, the last backup not counted; after it everything goes at once. Default: 2m.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.volumes) || self.volumes != 'Snapshot' || has(self.backup)",
                "volumes: Snapshot needs a last backup: set backup to the name of a Backup",
                fieldPath=".backup",
            )
        )
    )
