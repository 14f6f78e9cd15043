"""TradingSystem: the databases and services of one trading system as one graph."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from trading_operator.api.common import (
    Condition,
    Model,
    Name,
    ObjectName,
    map_list,
    name_rule,
    rule,
    rules,
)
from trading_operator.api.datastore import Datastore
from trading_operator.api.deletion import Deletion
from trading_operator.api.rollout import DryRun, Revision, Rollout, RolloutStatus
from trading_operator.api.service import EnvironmentVariable, Service
from trading_operator.api.sharing import ConfigBundle, Network, SharedVolume

KIND = "TradingSystem"
PLURAL = "tradingsystems"
MAX_DATASTORES = 16
MAX_SERVICES = 48

MAX_SYSTEM_NAME = 24


_COMPONENTS = (
    "((has(self.datastores) ? self.datastores.map(c, c.name) : []) + "
    "(has(self.services) ? self.services.map(c, c.name) : []))"
)
_CONFIGS = "(has(self.configs) ? self.configs.map(c, c.name) : [])"
_VOLUMES = "(has(self.volumes) ? self.volumes.map(c, c.name) : [])"


def _known(owners: str, used: str, known: str, mend: str) -> dict[str, str]:
    """Build the rule that every `used` name of every item of `owners` is in `known`.

    Written for the API server's cost budget: a one-element list binds the known names once, items
    are reached from the field itself and never from a filtered list, and `format` joins strings.
    """
    broken = f"has(o.{used}) && o.{used}.exists(u, !(u.name in known))"
    text = f"'%s: {used} names %s, which the system does not have; {mend}'"
    unknown = f"o.{used}.map(u, !(u.name in known), u.name)[0]"
    message = f"self.{owners}.map(o, {broken}, {text}.format([o.name, {unknown}]))[0]"
    return rule(
        f"!has(self.{owners}) || [{known}].all(known, !self.{owners}.exists(o, {broken}))",
        f"{owners}[].{used} names what the system does not have; {mend}",
        messageExpression=f"[{known}].map(known, {message})[0]",
        fieldPath=f".{owners}",
    )


def _known_init_scripts() -> dict[str, str]:
    """Build the rule that the init scripts of every datastore are a config of the system."""
    unknown = "has(o.initScripts) && !(o.initScripts.config in known)"
    mend = "which the system does not have; add it to configs, or mend the name"
    text = f"'%s: initScripts.config names %s, {mend}'"
    message = f"self.datastores.map(o, {unknown}, {text}.format([o.name, o.initScripts.config]))[0]"
    return rule(
        f"!has(self.datastores) || [{_CONFIGS}].all(known, !self.datastores.exists(o, {unknown}))",
        f"datastores[].initScripts.config names a config, {mend}",
        messageExpression=f"[{_CONFIGS}].map(known, {message})[0]",
        fieldPath=".datastores",
    )


class Mode(StrEnum):
    """Which broker credentials the services get."""

    PAPER = "Paper"
    LIVE = "Live"


class TradingState(StrEnum):
    """Which orders the services may send."""

    ACTIVE = "Active"
    REDUCE_ONLY = "ReduceOnly"
    HALTED = "Halted"


class TradingSystemSpec(Model):
    """What the trading system consists of."""

    paused: bool = Field(
        False,
        description="true: the operator only looks and reports, and writes nothing but the "
        "status, and a tradingState that allows less than before. Default: false.",
    )
    hibernated: bool = Field(
        False,
        description="true: all pods stop, dependants first; volumes, addresses and passwords "
        "stay. Default: false.",
    )
    trading_state: TradingState = Field(
        TradingState.ACTIVE,
        description="Which orders the services may send: Active (all), ReduceOnly (only those "
        "that reduce a position), Halted (none). Services read it as a file that "
        "TRADING_STATE_FILE names; no pod is restarted. Default: Active.",
    )
    deletion: Deletion = Field(
        default_factory=Deletion, description="How the system goes when it is deleted."
    )
    rollout: Rollout = Field(
        default_factory=Rollout,
        description="How a change goes forward, and when it goes back by itself.",
    )

    mode: Mode = Field(
        Mode.PAPER,
        description="Paper trades against a simulated account, Live against a real one. "
        "Services read it as TRADING_MODE. Default: Paper.",
    )
    image_pull_secrets: list[ObjectName] = Field(
        default_factory=list,
        max_length=8,
        description="Names of the Secrets that open the image registry.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    env: list[EnvironmentVariable] = Field(
        default_factory=list,
        max_length=128,
        description="Environment of every service; a service's own `env` overrides it by name.",
        json_schema_extra=map_list(),
    )
    configs: list[ConfigBundle] = Field(
        default_factory=list,
        max_length=32,
        description="Configuration files that services and datastores use by name.",
        json_schema_extra=map_list(),
    )
    volumes: list[SharedVolume] = Field(
        default_factory=list,
        max_length=16,
        description="Volumes that services share. They outlive the system.",
        json_schema_extra=map_list(),
    )
    datastores: list[Datastore] = Field(
        default_factory=list,
        max_length=MAX_DATASTORES,
        description="Databases of the system.",
        json_schema_extra=map_list(),
    )
    services: list[Service] = Field(
        default_factory=list,
        max_length=MAX_SERVICES,
        description="Programs of the system.",
        json_schema_extra=map_list(),
    )
    network: Network = Field(
        default_factory=Network,
        description="Which connections to and from the system's pods are allowed.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.datastores) || !has(self.services) || "
                "[self.services.map(s, s.name)].all(names, "
                "!self.datastores.exists(d, d.name in names))",
                "a datastore and a service have the same name; rename one of them",
                fieldPath=".services",
            ),
            _known(
                "services",
                "dependsOn",
                _COMPONENTS,
                "add it to datastores or services, or mend the name",
            ),
            _known(
                "datastores",
                "dependsOn",
                _COMPONENTS,
                "add it to datastores or services, or mend the name",
            ),
            _known("services", "configs", _CONFIGS, "add it to configs, or mend the name"),
            _known("services", "volumes", _VOLUMES, "add it to volumes, or mend the name"),
            _known_init_scripts(),
        )
    )

    @property
    def components(self) -> tuple[Datastore | Service, ...]:
        """Return every component of the graph, datastores first."""
        return (*self.datastores, *self.services)


class ComponentState(StrEnum):
    """Where a component stands."""

    WAITING = "Waiting"  # a dependency is not there yet: not started
    BLOCKED = "Blocked"  # something is missing that a person must mend
    STARTING = "Starting"  # its pods are on the way
    READY = "Ready"
    DEGRADED = "Degraded"  # it served, and does not now or only in part
    STOPPING = "Stopping"  # its pods are to go, or wait for those that use it
    STOPPED = "Stopped"  # the system hibernates: no pod is there


class ComponentStatus(Model):
    """One line about one component."""

    name: Name = Field(description="Name of the component.")
    kind: Annotated[str, Field(max_length=16)] = Field(description="Datastore or Service.")
    state: ComponentState = Field(
        description="Waiting (a dependency is not there yet), Blocked (something is missing that "
        "a person must mend), Starting, Ready, Degraded (it served, and does not now), Stopping "
        "or Stopped (the system hibernates)."
    )
    ready: int = Field(description="Pods that are ready.", ge=0)
    desired: int = Field(description="Pods that should be ready.", ge=0)
    revision: Annotated[str, Field(max_length=16)] = Field(
        description="Digest of what decides this component's pods."
    )
    reason: Annotated[str, Field(max_length=128)] = Field(
        "", description="Why it is not Ready, or what is amiss with it, as one CamelCase word."
    )
    message: Annotated[str, Field(max_length=1024)] = Field(
        "",
        description="Why it is not Ready and what mends it, or where it is reached, for people.",
    )
    waiting_since: Annotated[str, Field(max_length=32)] | None = Field(
        None,
        description="Since when an optional dependency is waited for (RFC 3339, UTC).",
        json_schema_extra={"format": "date-time"},
    )
    volume_uid: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="Uid of the volume claim that the datastore was started with: from then on no "
        "new password is made for it.",
    )


COMMAND_LENGTH = 128  # of what is told of a command's value
Handled = Annotated[str, Field(max_length=COMMAND_LENGTH)] | None


class HandledCommands(Model):
    """The last value of each command (annotation) that was handled."""

    adopt_rendering: Handled = Field(
        None,
        description="Value of tradingoperator.io/adopt-rendering: with it the renderings of the "
        "operator that runs now were adopted.",
    )
    retry: Handled = Field(
        None,
        description="Value of tradingoperator.io/retry: a change that had gone back was tried "
        "again.",
    )
    rollback_to: Handled = Field(
        None,
        description="Value of tradingoperator.io/rollback-to: the system went to the revision "
        "that it names.",
    )
    approve: Handled = Field(
        None,
        description="Value of tradingoperator.io/approve: the change to the revision that it "
        "names was let go.",
    )
    skip_backup_once: Handled = Field(
        None,
        description="Value of tradingoperator.io/skip-backup-once: the change to the revision "
        "that it names was let go without a backup.",
    )
    resume_trading: Handled = Field(
        None,
        description="Value of tradingoperator.io/resume-trading: after the Restore that it names "
        "the services were told again what the spec says.",
    )
    dry_run: Handled = Field(
        None,
        description="Value of tradingoperator.io/dry-run: `dryRun` says what the spec would "
        "change.",
    )


class TradingSystemStatus(Model):
    """What the operator last saw."""

    observed_generation: int = Field(
        0, ge=0, description="Generation of the spec that this status was computed from."
    )
    revision: Revision = Field(
        "", description="Revision that is kept up now: the digest of what decides the components."
    )
    desired_revision: Revision = Field(
        "",
        description="Revision that the spec asks for; another one than `revision` while a "
        "change is held or has gone back.",
    )
    last_good_revision: Revision = Field(
        "", description="Newest revision that was proven good: where a failed change goes back to."
    )
    rollout: RolloutStatus | None = Field(
        None,
        description="Where the newest change stands; absent while the system hibernates or "
        "is paused.",
    )
    dry_run: DryRun | None = Field(
        None, description="What the spec would change, asked for by tradingoperator.io/dry-run."
    )
    handled: HandledCommands | None = Field(
        None, description="Commands that were handled, with the value that asked for them."
    )
    components_ready: Annotated[str, Field(max_length=16)] = Field(
        "", description="Components that are Ready out of all, e.g. 5/7."
    )
    trading_state: Annotated[str, Field(max_length=16)] | None = Field(
        None,
        description="Which orders the services were told they may send: what their file says.",
    )
    halted_by: Annotated[str, Field(max_length=253)] | None = Field(
        None,
        description="Restore because of which services are told Halted, whatever the spec says, "
        "until tradingoperator.io/resume-trading names it, by its name or its uid.",
    )
    components: list[ComponentStatus] = Field(
        default_factory=list,
        max_length=MAX_DATASTORES + MAX_SERVICES,
        description="One line per component, in start order.",
        json_schema_extra=map_list(),
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Available (it serves), Ready (it serves what the spec says), Reconciling "
        "(a change is on its way), Stalled (a person must mend something), Degraded (something "
        "that served does not now), Validated (the spec can be carried out), RolledBack (the "
        "newest change went back to the last good revision).",
        json_schema_extra=map_list("type"),
    )


class TradingSystem(Model):
    """A trading system: databases and services that start in order and change together."""

    spec: TradingSystemSpec = Field(description="What the trading system consists of.")
    status: TradingSystemStatus | None = Field(
        None, description="What the operator last saw; written by the operator alone."
    )


def printer_columns() -> list[dict[str, Any]]:
    """Build the columns of `kubectl get tradingsystems`."""
    ready = ".status.conditions[?(@.type=='Ready')]"
    return [
        {"name": "Ready", "type": "string", "jsonPath": f"{ready}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{ready}.reason"},
        {"name": "Components", "type": "string", "jsonPath": ".status.componentsReady"},
        {"name": "Revision", "type": "string", "jsonPath": ".status.revision"},
        {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def root_rules() -> list[dict[str, str]]:
    """Build the rules on the whole object: derived names must fit."""
    return [name_rule(MAX_SYSTEM_NAME)]
