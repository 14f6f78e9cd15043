"""All that the plan of one Backup may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_operator.api.backup import BackupSpec
from trading_operator.api.backup_status import BackupStatus
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.engines.base import OperandSettings
from trading_operator.manifests.metadata import Manifest, Owner
from trading_operator.plan.observed import Observed, Ref


@dataclass(frozen=True)
class Source:
    """The trading system that is backed up: the spec that is kept up now, and what is there."""

    owner: Owner
    spec: TradingSystemSpec
    children: Mapping[Ref, Manifest] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """A change of a system that waits for a backup of it."""

    revision: str
    since: str
    retried: str = ""  # value of the command that asks for another try


@dataclass(frozen=True)
class JobFacts:
    """One Job of the Backup, with what its newest pod says."""

    name: str
    run: str  # what it does: a RunKind
    request: str = ""  # who asked for it once, as a digest
    created_at: str = ""
    started_at: str = ""
    ended_at: str = ""
    outcome: str = "Running"
    reason: str = ""  # why it failed, as its controller says
    message: str = ""
    words: str = ""  # what its program left behind
    waits: str = ""  # why its pod does not run
    address: str = ""  # of its pod, while it runs
    config_maps: tuple[str, ...] = ()  # that its pods mount

    @property
    def is_over(self) -> bool:
        """Tell whether no pod of it will be made any more."""
        return self.outcome != "Running"


@dataclass(frozen=True)
class Case:
    """One Backup with all that a plan may look at."""

    owner: Owner
    spec: BackupSpec
    observed: Observed
    operand: OperandSettings
    source: Source | None = None  # None: there is no such system
    jobs: tuple[JobFacts, ...] = ()
    before: BackupStatus = field(default_factory=BackupStatus)
    wish: Wish | None = None
    asked: tuple[str, ...] = ()  # requests of Restores that replace data, as digests
    restored_by: str = ""  # the Restore that holds the system
