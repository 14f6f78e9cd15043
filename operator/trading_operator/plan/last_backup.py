"""The last backup of a system that goes: with policy Snapshot volumes go only after it."""

from dataclasses import dataclass
from datetime import datetime

from trading_operator.api.backup_status import Outcome
from trading_operator.api.common import parse_duration
from trading_operator.api.deletion import Deletion, VolumePolicy
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.backup.requests import end_request
from trading_operator.plan.observed import BackupFacts, Observed
from trading_operator.plan.types import Owner


@dataclass(frozen=True)
class LastBackup:
    """How far it is, in words; `covers` names the volumes and datastores whose data it holds."""

    outcome: Outcome
    message: str
    covers: frozenset[str] = frozenset()

    @property
    def is_awaited(self) -> bool:
        """Tell whether datastores have to serve until it is taken."""
        return self.outcome is Outcome.RUNNING


def wants_last_backup(spec: TradingSystemSpec | None) -> bool:
    """Tell whether a system asks for a backup when it is deleted."""
    return spec is not None and spec.deletion.volumes is VolumePolicy.SNAPSHOT


def backup_deadline(deletion: Deletion, deleted_at: datetime) -> datetime:
    """Return until when the last backup is waited for: where none is asked for, not at all."""
    if deletion.volumes is not VolumePolicy.SNAPSHOT:
        return deleted_at
    return deleted_at + parse_duration(deletion.backup_deadline)


def find_last_backup(
    owner: Owner,
    spec: TradingSystemSpec | None,
    observed: Observed,
    deleted_at: datetime,
    now: datetime,
) -> LastBackup | None:
    """Return how far the last backup is; None where the policy asks for none.

    Whatever is not known to have gone well keeps the volumes: nothing is lost by that.
    """
    if spec is None or not wants_last_backup(spec):
        return None
    name = spec.deletion.backup
    obstacle = _find_obstacle(owner, spec, observed)
    if obstacle or observed.backup is None:
        return LastBackup(Outcome.FAILED, obstacle)
    asked = observed.backup.asked.get(end_request(owner.uid))
    if asked is not None and asked.outcome == Outcome.SUCCEEDED:
        covers = asked.targets & _known_targets(spec)
        return LastBackup(Outcome.SUCCEEDED, f"{name} has taken it", covers)
    if asked is not None and asked.outcome == Outcome.FAILED:
        return LastBackup(Outcome.FAILED, f"the backup by {name} failed: {asked.message}")
    if now >= backup_deadline(spec.deletion, deleted_at):
        return LastBackup(Outcome.FAILED, f"{name} had not taken it in time")
    return LastBackup(Outcome.RUNNING, _waits(observed.backup))


def _waits(backup: BackupFacts) -> str:
    trouble = f", which takes none now: {backup.trouble}" if backup.trouble else ""
    return f"stops after the last backup by {backup.name}{trouble}"


def _find_obstacle(owner: Owner, spec: TradingSystemSpec, observed: Observed) -> str:
    """Say why nobody can take it, "" when somebody may."""
    name, backup = spec.deletion.backup, observed.backup
    if backup is None or backup.name != name:
        return f"there is no Backup {name}"
    if backup.system != owner.name:
        return f"Backup {name} is of {backup.system}"
    if observed.restore is not None:
        return f"Restore {observed.restore.name} has not ended well: its data may be half restored"
    if spec.hibernated:
        return "the system hibernates, and its datastores do not answer"
    return ""


def _known_targets(spec: TradingSystemSpec) -> frozenset[str]:
    """Return what a name in a set can mean: of a datastore and a volume of one name, neither.

    What the spec has besides was not there to be backed up, whatever its volume holds from before.
    """
    stores = frozenset(each.name for each in spec.datastores)
    return stores ^ frozenset(each.name for each in spec.volumes)
