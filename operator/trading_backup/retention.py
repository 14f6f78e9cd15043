"""Which sets are kept: decided over whole chains, and never against the newest proven set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_backup.job import Retention
from trading_backup.sets import (
    RESTORED,
    VERIFIED,
    BackupSet,
    find_whole,
    group_chains,
    newest_marked,
    published,
)

Period = Callable[[datetime], object]


@dataclass(frozen=True)
class Decision:
    """The published sets that stay and those that go, the oldest first."""

    kept: tuple[BackupSet, ...]
    deleted: tuple[BackupSet, ...]


def decide_retention(sets: Sequence[BackupSet], rules: Retention, now: datetime) -> Decision:
    """Keep every chain that a rule wants a set of; without a rule keep all."""
    backups = published(sets)
    wanted = {backup_set.id for backup_set in _find_wanted(backups, rules, now)}
    kept: list[BackupSet] = []
    deleted: list[BackupSet] = []
    for chain in group_chains(backups):
        stays = any(backup_set.id in wanted for backup_set in chain)
        (kept if stays else deleted).extend(chain)
    return Decision(_in_order(kept), _in_order(deleted))


def _in_order(sets: Sequence[BackupSet]) -> tuple[BackupSet, ...]:
    return tuple(sorted(sets, key=lambda backup_set: backup_set.id))


def _find_wanted(
    backups: Sequence[BackupSet], rules: Retention, now: datetime
) -> Sequence[BackupSet]:
    if rules == Retention():
        return backups
    # An increment without its base cannot be restored: no rule counts it, only its age keeps it.
    newest_first = find_whole(backups)[::-1]
    # The newest proven sets stay whatever the rules say, and so does the one just made.
    proven = [newest_marked(backups, VERIFIED), newest_marked(backups, RESTORED)]
    oldest = now - timedelta(days=rules.days)
    return [
        *newest_first[:1],
        *(backup_set for backup_set in proven if backup_set is not None),
        *newest_first[: rules.keep_last],
        *(backup_set for backup_set in backups if rules.days and backup_set.time >= oldest),
        *_newest_of_each(newest_first, rules.daily, lambda time: time.date()),
        *_newest_of_each(newest_first, rules.weekly, lambda time: time.isocalendar()[:2]),
        *_newest_of_each(newest_first, rules.monthly, lambda time: (time.year, time.month)),
    ]


def _newest_of_each(
    newest_first: Sequence[BackupSet], periods: int, period_of: Period
) -> list[BackupSet]:
    """Return the newest set of each of the newest periods that have one."""
    newest: dict[object, BackupSet] = {}
    for backup_set in newest_first:
        newest.setdefault(period_of(backup_set.time), backup_set)
    return list(newest.values())[:periods]
