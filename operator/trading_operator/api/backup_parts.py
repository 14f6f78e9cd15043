"""Parts of a Backup: when it runs, where it goes, what is kept, and how it is proven."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from trading_operator.api.common import (
    Duration,
    Model,
    Name,
    ObjectName,
    Port,
    Quantity,
    RoutePath,
    SecretKeyReference,
    map_list,
    rule,
    rules,
)
from trading_operator.api.sharing import Egress

_CRON_FIELD = r"[0-9A-Za-z*/,?-]+"
_CRON_NAME = "@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
Cron = Annotated[
    str,
    Field(
        pattern=rf"^({_CRON_NAME}|{_CRON_FIELD}( {_CRON_FIELD}){{4}})$",
        min_length=6,
        max_length=128,
    ),
]
TimeZone = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$", min_length=3, max_length=64)
]
ReadShare = Annotated[
    str,
    Field(
        pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%$|^[1-9][0-9]{0,14}[kKmMgGtT]$", max_length=24
    ),
]
Sets = Annotated[int, Field(ge=0, le=10000)]


class Method(StrEnum):
    """How a database is backed up."""

    LOGICAL = "Logical"
    PHYSICAL = "Physical"


class Target(Model):
    """A datastore or a volume of the system."""

    name: Name = Field(description="Name of a datastore or of a volume of the system.")
    method: Method = Field(
        Method.LOGICAL,
        description="Logical: a dump, which any later version reads. Physical: the files of a "
        "PostgreSQL or TimescaleDB server, of which an incremental run copies what changed (from "
        "version 17 on, with the parameter summarize_wal: on). Default: Logical.",
    )


class Schedule(Model):
    """When backups are taken."""

    full: Cron = Field(
        description="When a full backup is taken, as five fields of cron (e.g. 0 3 * * *) or "
        "@daily and the like."
    )
    incremental: Cron | None = Field(
        None, description="When what changed since is taken, e.g. 0 * * * *. Default: never."
    )
    time_zone: TimeZone = Field(
        "Etc/UTC",
        description="Time zone of the schedules, e.g. America/New_York. Default: Etc/UTC.",
    )
    starting_deadline: Duration = Field(
        "30m",
        description="How late a run may begin; one that could not is missed, and counted. "
        "Default: 30m.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.timeZone) || !(self.timeZone in ['Local', 'local'])",
                "timeZone must be the name of a zone, e.g. Europe/Berlin",
                fieldPath=".timeZone",
            ),
            rule(
                "!has(self.startingDeadline) || "
                "(duration(self.startingDeadline) >= duration('1m') && "
                "duration(self.startingDeadline) <= duration('24h'))",
                "startingDeadline must be from 1m to 24h",
                fieldPath=".startingDeadline",
            ),
        )
    )


class VolumeDestination(Model):
    """A volume claim that holds the repository: one of the operator's own, or yours."""

    size: Quantity | None = Field(
        None,
        description="Size of the operator's own volume in bytes, e.g. 20Gi. It may grow. The "
        "volume outlives the Backup.",
    )
    storage_class_name: ObjectName | None = Field(
        None,
        description="StorageClass of the operator's own volume. Default: the cluster's default "
        "class.",
    )
    claim_name: ObjectName | None = Field(
        None, description="Name of a volume claim of yours that is used instead."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.size) != has(self.claimName)",
                "a volume has either a size, or the claimName of one that is there",
            ),
            rule(
                "!has(self.storageClassName) || has(self.size)",
                "storageClassName is for the operator's own volume: remove it",
                fieldPath=".storageClassName",
            ),
            rule(
                "(has(self.claimName) ? self.claimName : '') == "
                "(has(oldSelf.claimName) ? oldSelf.claimName : '') && "
                "(has(self.storageClassName) ? self.storageClassName : '') == "
                "(has(oldSelf.storageClassName) ? oldSelf.storageClassName : '')",
                "the volume of a Backup stays the same: make another Backup",
            ),
        )
    )


class S3Destination(Model):
    """A bucket of an S3-compatible store that holds the repository."""

    endpoint: Annotated[
        str,
        Field(
            pattern=r"^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?$",
            min_length=8,
            max_length=253,
        ),
    ] = Field(description="Address of the store, e.g. https://s3.eu-central-1.example.com.")
    bucket: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$", min_length=3, max_length=63)
    ] = Field(description="Name of the bucket; it must be there.")
    prefix: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", max_length=255)]
        | None
    ) = Field(None, description="Folder in the bucket. Default: <namespace>/<name of the Backup>.")
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = Field(
        None, description="Region of the bucket, where the store asks for one."
    )
    access_key_secret_ref: SecretKeyReference = Field(
        description="Secret of yours with the access key."
    )
    secret_key_secret_ref: SecretKeyReference = Field(
        description="Secret of yours with the secret key."
    )
    ca_secret_ref: SecretKeyReference | None = Field(
        None,
        description="Secret of yours with the certificate authority of the store, as PEM. "
        "Default: those that everybody trusts.",
    )
    namespace: ObjectName | None = Field(
        None,
        description="Namespace whose pods serve the store, where it runs in this cluster: network "
        "policies know its pods by this. Default: it is outside.",
    )
    egress: list[Egress] = Field(
        default_factory=list,
        max_length=16,
        description="Where the store is reached, for the network policy. Default: every address, "
        "on the endpoint's port.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.endpoint == oldSelf.endpoint && self.bucket == oldSelf.bucket && "
                "(has(self.prefix) ? self.prefix : '') == "
                "(has(oldSelf.prefix) ? oldSelf.prefix : '')",
                "the place of a Backup stays the same: make another Backup",
            ),
        )
    )


class Destination(Model):
    """Where the repository is: on a volume or in a bucket."""

    volume: VolumeDestination | None = Field(None, description="On a volume.")
    s3: S3Destination | None = Field(None, description="In a bucket of an S3-compatible store.")

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.volume) != has(self.s3)",
                "a destination is either a volume or s3, not both and not neither",
            ),
            rule(
                "has(self.volume) == has(oldSelf.volume)",
                "the place of a Backup stays the same: make another Backup",
            ),
        )
    )


class Encryption(Model):
    """The password without which nobody reads the backups."""

    password_secret_ref: SecretKeyReference | None = Field(
        None,
        description="Secret of yours with the password. Keep a copy outside of the cluster. "
        "Default: generated, and kept for as long as the operator's own volume.",
    )


class Retention(Model):
    """Which backups stay; one stays when any of these keeps it, and the newest verified always."""

    days: Sets = Field(0, description="All of the last so many days. Default: 0.")
    keep_last: Sets = Field(0, description="The newest so many. Default: 0.")
    daily: Sets = Field(0, description="The last one of each of so many days (UTC). Default: 0.")
    weekly: Sets = Field(0, description="The last one of each of so many weeks (UTC). Default: 0.")
    monthly: Sets = Field(
        0, description="The last one of each of so many months (UTC). Default: 0."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.days) ? self.days : 0, has(self.keepLast) ? self.keepLast : 0, "
                "has(self.daily) ? self.daily : 0, has(self.weekly) ? self.weekly : 0, "
                "has(self.monthly) ? self.monthly : 0].exists(each, each > 0)",
                "retention keeps nothing: set days, keepLast, daily, weekly or monthly; without "
                "retention everything is kept",
            )
        )
    )


class Verification(Model):
    """How backups are proven."""

    read_data: ReadShare = Field(
        "10%",
        description="How much of the whole repository each run reads again and checks, as a share "
        "or a size, e.g. 5%, 100% or 2G. What the run itself has written is always read again. "
        "Default: 10%.",
    )
    row_hashes: bool = Field(
        False,
        description="true: a hash of all rows of each table is taken with a backup and compared "
        "by a drill; it reads every table. Default: false (row counts and newest timestamps).",
    )
    restore_drill: Cron | None = Field(
        None,
        description="When the newest backup is restored into throw-away databases and compared "
        "with what was noted when it was taken, e.g. 0 5 * * 0. Default: never.",
    )


class Objectives(Model):
    """What a loss may cost at most; a breach shows as a condition and a metric."""

    rpo: Duration | None = Field(
        None, description="How old the newest verified backup may be, e.g. 1h."
    )
    rto: Duration | None = Field(
        None, description="How long a restore may take, as drills measure it, e.g. 15m."
    )


class Assertion(Model):
    """A statement that must be true of restored data."""

    name: Name = Field(description="Name by which a failure is told.")
    target: Name = Field(description="Name of the PostgreSQL or TimescaleDB datastore it is about.")
    sql: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="One query whose first value must be true, e.g. select count(*) > 0 from "
        "orders."
    )


class OnHookFailure(StrEnum):
    """What becomes of a backup whose hook failed."""

    FAIL = "Fail"
    CONTINUE = "Continue"


class Hook(Model):
    """A request to a service of the system."""

    name: Name = Field(description="Name by which a failure is told.")
    service: Name = Field(description="Name of the service that is asked.")
    path: RoutePath = Field(description="Path that is POSTed to; an answer 200 to 299 is well.")
    port: Port | None = Field(
        None, description="Port of the service's Service. Default: its first one."
    )
    timeout: Duration = Field("30s", description="When it counts as failed. Default: 30s.")
    on_failure: OnHookFailure = Field(
        OnHookFailure.FAIL,
        description="Fail: there is no backup then. Continue: it is told and goes on. "
        "Default: Fail.",
    )


class Hooks(Model):
    """Requests to services before and after each backup."""

    before: list[Hook] = Field(
        default_factory=list,
        max_length=8,
        description="Asked in this order before anything is read.",
        json_schema_extra=map_list(),
    )
    after: list[Hook] = Field(
        default_factory=list,
        max_length=8,
        description="Asked in this order when all is read, and also when something failed.",
        json_schema_extra=map_list(),
    )


class Scratch(Model):
    """Room that a run needs for itself, on a volume that goes with its pod."""

    size: Quantity = Field(description="Size of the volume in bytes, e.g. 50Gi.")
    storage_class_name: ObjectName | None = Field(
        None, description="StorageClass of the volume. Default: the cluster's default class."
    )


class HistoryLimits(Model):
    """How many finished Jobs of each schedule stay to be looked at."""

    successful: int = Field(3, ge=1, le=20, description="Jobs that went well. Default: 3.")
    failed: int = Field(3, ge=1, le=20, description="Jobs that failed. Default: 3.")
