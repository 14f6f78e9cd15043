"""Backup sets, read from the tags of restic's snapshots: which there are, and what they need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MANIFEST = "manifest"
VERIFIED = "verified"
RESTORED = "restored"

_FORMAT = "%Y%m%dT%H%M%SZ"
# A set without a manifest that is younger may still be being written.
UNFINISHED_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class StoredSnapshot:
    """One of restic's snapshots."""

    id: str
    time: datetime
    tags: frozenset[str]

    def values(self, name: str) -> frozenset[str]:
        """Return what the tags say of a name: set=X, base=Y."""
        prefix = f"{name}="
        return frozenset(tag.removeprefix(prefix) for tag in self.tags if tag.startswith(prefix))


@dataclass(frozen=True)
class BackupSet:
    """All snapshots of one run; without a manifest it is no backup."""

    id: str
    snapshots: tuple[StoredSnapshot, ...]

    @property
    def time(self) -> datetime:
        """When the run began."""
        return parse_set_id(self.id)

    @property
    def manifest(self) -> str | None:
        """The snapshot of its manifest."""
        found = [snapshot for snapshot in self.snapshots if MANIFEST in snapshot.tags]
        return max(found, key=lambda snapshot: snapshot.time).id if found else None

    @property
    def bases(self) -> frozenset[str]:
        """The sets that its increments stand on."""
        return frozenset().union(*(snapshot.values("base") for snapshot in self.snapshots))

    @property
    def system(self) -> str | None:
        """The trading system whose data it holds; None while nothing says so."""
        found = (each for snapshot in self.snapshots for each in snapshot.values("system"))
        return next(found, None)

    def marked_at(self, mark: str) -> datetime | None:
        """When it was last verified or restored by a drill."""
        times = [snapshot.time for snapshot in self.snapshots if mark in snapshot.tags]
        return max(times) if self.manifest and times else None


def format_set_id(time: datetime) -> str:
    """Write the id of a set that begins at a time."""
    return time.astimezone(UTC).strftime(_FORMAT)


def parse_set_id(text: str) -> datetime:
    """Read the time out of a set's id."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)


def next_set_id(now: datetime, sets: Sequence[BackupSet]) -> tuple[str, bool]:
    """Return the id of a new set, newer than all; True when the clock had gone back."""
    newest = max((backup_set.time for backup_set in sets), default=None)
    wanted = now.astimezone(UTC).replace(microsecond=0)
    if newest is None or wanted > newest:
        return format_set_id(wanted), False
    # Two runs in one second are no sign of a clock that went back.
    return format_set_id(newest + timedelta(seconds=1)), wanted < newest


def group_sets(snapshots: Iterable[StoredSnapshot]) -> list[BackupSet]:
    """Group snapshots into sets, the oldest first; what has no set of ours is left alone."""
    found: dict[str, list[StoredSnapshot]] = {}
    for snapshot in snapshots:
        for set_id in snapshot.values("set"):
            found.setdefault(set_id, []).append(snapshot)
    return [BackupSet(set_id, tuple(found[set_id])) for set_id in sorted(found) if _is_id(set_id)]


def _is_id(text: str) -> bool:
    try:
        parse_set_id(text)
    except ValueError:
        return False
    return True


def published(sets: Iterable[BackupSet]) -> list[BackupSet]:
    """Return the sets that are backups."""
    return [backup_set for backup_set in sets if backup_set.manifest is not None]


def of_system(sets: Iterable[BackupSet], system: str) -> list[BackupSet]:
    """Return the sets that may be of a system; another one's are neither restored nor deleted.

    A repository outlives its Backup, and a later one of that name may be of another system.
    """
    return [backup_set for backup_set in sets if backup_set.system in (None, system)]


def find_unfinished(sets: Iterable[BackupSet], now: datetime, alone: bool) -> list[BackupSet]:
    """Return the sets that never became backups and that nobody writes any more."""
    return [
        backup_set
        for backup_set in sets
        if backup_set.manifest is None and (alone or now - backup_set.time > UNFINISHED_AFTER)
    ]


def find_whole(sets: Sequence[BackupSet]) -> list[BackupSet]:
    """Return the backups with all that they stand on: the others cannot be restored."""
    whole: dict[str, BackupSet] = {}
    # A base is older than what stands on it.
    for backup_set in sorted(published(sets), key=_id):
        if backup_set.bases <= whole.keys():
            whole[backup_set.id] = backup_set
    return list(whole.values())


def newest_marked(sets: Sequence[BackupSet], mark: str) -> BackupSet | None:
    """Return the newest whole set with a mark; the newest set, not the newest mark."""
    return next((s for s in reversed(find_whole(sets)) if s.marked_at(mark)), None)


def _id(backup_set: BackupSet) -> str:
    return backup_set.id


def group_chains(sets: Sequence[BackupSet]) -> list[tuple[BackupSet, ...]]:
    """Group sets that stand on each other; a set by itself is a chain of one."""
    chain_of = {backup_set.id: {backup_set.id} for backup_set in sets}
    for backup_set in sets:
        for base in backup_set.bases.intersection(chain_of):
            merged = chain_of[base] | chain_of[backup_set.id]
            chain_of |= dict.fromkeys(merged, merged)
    by_id = {backup_set.id: backup_set for backup_set in sets}
    chains = {tuple(sorted(ids)) for ids in chain_of.values()}
    return [tuple(by_id[set_id] for set_id in ids) for ids in sorted(chains)]
