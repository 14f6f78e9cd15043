"""Datastore: one database of a trading system."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from trading_operator.api.common import (
    Dependency,
    Duration,
    Image,
    Model,
    Name,
    ObjectName,
    Port,
    Quantity,
    Resources,
    SecretKey,
    ServiceName,
    map_list,
    rule,
    rules,
)
from trading_operator.api.scheduling import DisruptionBudget, Scheduling

ParameterName = Annotated[str, Field(pattern=r"^[a-z][-._a-z0-9]*$", max_length=63)]
UserId = Annotated[int, Field(ge=1, le=2147483647)]
SqlName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", min_length=1, max_length=63)]


class EngineName(StrEnum):
    """The database engines that the operator knows."""

    POSTGRESQL = "PostgreSQL"
    TIMESCALEDB = "TimescaleDB"
    REDIS = "Redis"


class Storage(Model):
    """The volume of a datastore."""

    size: Quantity = Field(description="Size of the volume in bytes, e.g. 10Gi.")
    storage_class_name: ObjectName | None = Field(
        None, description="StorageClass of the volume. Default: the cluster's default class."
    )


class InitScripts(Model):
    """Scripts that run once, when an empty datastore is first initialised."""

    config: Name = Field(
        description="Name of the config whose files (*.sql, *.sql.gz, *.sh) run in name order."
    )


class Credentials(Model):
    """A Secret of yours with the datastore's password."""

    secret_name: ObjectName = Field(description="Name of the Secret in the system's namespace.")
    password_key: SecretKey = Field(
        "password", description="Key that holds the password. Default: password."
    )


class ProbeTiming(Model):
    """How often health is asked for, and how many failures count."""

    period: Duration = Field("10s", description="Time between two checks. Default: 10s.")
    timeout: Duration = Field("5s", description="When a check counts as failed. Default: 5s.")
    failure_threshold: int = Field(
        5, ge=1, le=100, description="Failures in a row until it counts as not ready. Default: 5."
    )


DEFAULT_DATABASE = "trading"
DEFAULT_USERNAME = "trading"


def _set_once(name: str, default: str) -> dict[str, str]:
    """Build the rule that a field which is read at the first start alone never changes."""
    now, before = (
        f"(has({each}.{name}) ? {each}.{name} : '{default}')" for each in ("self", "oldSelf")
    )
    return rule(
        f"self.engine == 'Redis' || {now} == {before}",
        f"{name} is set when the volume is first initialised: set it back, or add a new datastore "
        "and move the data",
        fieldPath=f".{name}",
    )


class Datastore(Model):
    """One database: a StatefulSet with its volume, its Service and its password."""

    name: Name = Field(description="Name of the component; its Service is <system>-<name>.")
    engine: EngineName = Field(
        description="PostgreSQL, TimescaleDB or Redis.",
        json_schema_extra=rules(
            rule(
                "self == oldSelf",
                "engine is immutable: add a new datastore and move the data",
            )
        ),
    )
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){0,2}$", max_length=16)] | None = (
        Field(None, description="Version of the engine, e.g. 17. Default: the operator's newest.")
    )
    image: Image | None = Field(
        None,
        description="Image that replaces the operator's own for this engine and version. It must "
        "behave as the official image of the engine does.",
    )
    database: SqlName = Field(
        DEFAULT_DATABASE, description="Database that is created at first start. Default: trading."
    )
    username: SqlName = Field(
        DEFAULT_USERNAME, description="Owner of the database. Default: trading."
    )
    credentials: Credentials | None = Field(
        None, description="Where the password comes from. Default: generated, kept with the volume."
    )
    storage: Storage = Field(description="The volume that holds the data. It outlives the system.")
    parameters: dict[ParameterName, Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=dict,
        max_length=128,
        description="Settings of the engine, e.g. shared_buffers: 512MB or maxmemory-policy: "
        "noeviction.",
    )
    init_scripts: InitScripts | None = Field(
        None, description="Scripts for the first start. Not available for Redis."
    )
    resources: Resources = Field(
        default_factory=Resources, description="Compute resources of the pod."
    )
    run_as_user: UserId | None = Field(
        None,
        description="User id of the database in `image`; never root. Default: the engine's, for "
        "official images the one that they are built for.",
    )
    run_as_group: UserId | None = Field(
        None, description="Group id of the database and its volume. Default: as `runAsUser`."
    )
    scheduling: Scheduling = Field(
        default_factory=Scheduling, description="On which nodes the pod runs."
    )
    disruption_budget: DisruptionBudget | None = Field(
        None,
        description="Whether a node drain may stop the pod, e.g. minAvailable: 1 to keep it. "
        "Default: it may, so that a drain does not hang.",
    )
    port: Port | None = Field(
        None, description="Port of the Service. Default: the engine's own, e.g. 5432."
    )
    service_name: ServiceName | None = Field(
        None, description="Fixed name of the Service. Default: <system>-<name>."
    )
    health: ProbeTiming = Field(
        default_factory=ProbeTiming, description="Timing of the engine's own health check."
    )
    depends_on: list[Dependency] = Field(
        default_factory=list,
        max_length=32,
        description="Components that this one needs.",
        json_schema_extra=map_list(),
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.engine != 'Redis' || !has(self.initScripts)",
                "Redis has no init scripts: remove initScripts",
                fieldPath=".initScripts",
            ),
            rule(
                "!has(self.dependsOn) || self.dependsOn.all(d, d.name != self.name)",
                "a component cannot depend on itself",
                fieldPath=".dependsOn",
            ),
            _set_once("username", DEFAULT_USERNAME),
            _set_once("database", DEFAULT_DATABASE),
        )
    )
