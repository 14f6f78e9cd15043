"""Rollout: how a change goes forward, how it is watched, and when it goes back."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from trading_operator.api.common import Duration, Model, Name, map_list, rule, rules

LEAST_DEADLINE = "10s"
WORDS_LENGTH = 1024  # of what is told of a failure
REVISION_LENGTH = 16
MAX_COMPONENTS = 64


class OnFailure(StrEnum):
    """What becomes of a change that fails."""

    ROLLBACK = "Rollback"
    STAY = "Stay"


class Approval(StrEnum):
    """Who lets a change begin."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class Rollout(Model):
    """How a change goes forward, and when it goes back by itself."""

    progress_deadline: Duration = Field(
        "5m",
        description="How long a change may go on without another component becoming Ready before "
        "it counts as failed, at least 10s. The outage of a component that it does not touch does "
        "not count. Default: 5m.",
    )
    bake_time: Duration = Field(
        "1m",
        description="How long all components must be Ready at the new revision before it counts "
        "as good; what fails until then still makes the change go back. Default: 1m.",
    )
    on_failure: OnFailure = Field(
        OnFailure.ROLLBACK,
        description="Rollback: every component that changed goes back to the last good revision. "
        "Stay: a failed change is left as it is and reported. Default: Rollback.",
    )
    approval: Approval = Field(
        Approval.AUTOMATIC,
        description="Manual: a change waits until the annotation tradingoperator.io/approve names "
        "its revision. Default: Automatic.",
    )
    backup_before: Name | None = Field(
        None,
        description="Name of the Backup that must be taken and verified before each change. "
        "Default: none.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.progressDeadline) || "
                f"duration(self.progressDeadline) >= duration('{LEAST_DEADLINE}')",
                f"progressDeadline must be at least {LEAST_DEADLINE}: every change would fail",
                fieldPath=".progressDeadline",
            )
        )
    )


class RolloutPhase(StrEnum):
    """Where the newest change stands."""

    HELD = "Held"  # it has not begun: something must come first
    ROLLING_OUT = "RollingOut"  # components change in order
    BAKING = "Baking"  # all serve at the new revision, and are watched
    PROVEN = "Proven"  # the revision is good
    ROLLING_BACK = "RollingBack"  # components go back in order
    ROLLED_BACK = "RolledBack"  # all serve at the last good revision again


FORWARD = frozenset({RolloutPhase.ROLLING_OUT, RolloutPhase.BAKING})
BACK = frozenset({RolloutPhase.ROLLING_BACK, RolloutPhase.ROLLED_BACK})


Revision = Annotated[str, Field(max_length=REVISION_LENGTH)]
Moment = Annotated[str, Field(max_length=32)]
_TIME: dict[str, Any] = {"format": "date-time"}


class PlannedChange(Model):
    """What a change would do to one component."""

    name: Name = Field(description="Name of the component.")
    action: Annotated[str, Field(max_length=16)] = Field(
        description="Create, Update, Remove or Keep."
    )
    message: Annotated[str, Field(max_length=WORDS_LENGTH)] = Field(
        "", description="Which fields would change."
    )


class DryRun(Model):
    """What the spec would change, asked for by tradingoperator.io/dry-run."""

    revision: Revision = Field(description="Revision that the spec asks for.")
    changes: list[PlannedChange] = Field(
        default_factory=list,
        max_length=2 * MAX_COMPONENTS,
        description="What would become of each component, in the order of the change.",
        json_schema_extra=map_list(),
    )


class RolloutStatus(Model):
    """Where the newest change stands."""

    phase: RolloutPhase = Field(
        description="Held, RollingOut, Baking, Proven, RollingBack or RolledBack."
    )
    revision: Revision = Field(description="Revision of the change, as the spec asks for it.")
    since: Moment = Field(
        description="When this phase began (RFC 3339, UTC); the wait for a backup counts as one.",
        json_schema_extra=_TIME,
    )
    progressed_at: Moment | None = Field(
        None,
        description="When a component last became Ready at the revision (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    ready: int | None = Field(
        None, ge=0, description="Components that were Ready at the revision by then."
    )
    baking_since: Moment | None = Field(
        None,
        description="Since when all components are Ready at the revision (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    reason: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Why the change waits or went back, as one CamelCase word."
    )
    component: Annotated[str, Field(max_length=27)] | None = Field(
        None, description="Component by which the change failed."
    )
    message: Annotated[str, Field(max_length=WORDS_LENGTH)] | None = Field(
        None, description="Why the change waits or went back, for people."
    )
    complaint: Annotated[str, Field(max_length=WORDS_LENGTH)] | None = Field(
        None, description="What is wrong with the last command, for people."
    )
