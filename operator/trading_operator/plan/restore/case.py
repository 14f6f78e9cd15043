"""All that the plan of one Restore may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_operator.api.restore import RestoreSpec, RestoreStatus
from trading_operator.engines.base import OperandSettings
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.backup.answers import Progress
from trading_operator.plan.backup.case import Case, JobFacts
from trading_operator.plan.observed import AskedBackup, Observed, PodFacts


@dataclass(frozen=True)
class SystemState:
    """What is read of the system's status and pods."""

    rollout: str = ""  # phase of its newest change
    states: Mapping[str, str] = field(default_factory=dict)  # of its components
    pods: tuple[PodFacts, ...] = ()


@dataclass(frozen=True)
class RestoreCase:
    """One Restore with all that a plan may look at."""

    owner: Owner
    spec: RestoreSpec
    observed: Observed
    operand: OperandSettings
    backup: Case | None = None  # None: there is no such Backup
    saved: AskedBackup | None = None  # the backup that it asked for, of what it replaces
    system: SystemState = field(default_factory=SystemState)
    jobs: tuple[JobFacts, ...] = ()
    progress: Progress | None = None  # of the Job that runs
    rival: str = ""  # another Restore of the same system that goes first
    busy: tuple[str, ...] = ()  # what other Backups of the system do, or could begin
    before: RestoreStatus = field(default_factory=RestoreStatus)
