"""Sets in the repository: read, published last, marked, and deleted first by their manifest."""

import json
import logging
from collections.abc import Sequence

from pydantic import ValidationError

from trading_backup.errors import BackupError
from trading_backup.manifest import VERSION, Manifest, TargetRecord, dump_manifest
from trading_backup.reasons import Reason
from trading_backup.restic import Restic
from trading_backup.sets import (
    MANIFEST,
    BackupSet,
    StoredSnapshot,
    find_whole,
    group_sets,
    of_system,
    published,
)

logger = logging.getLogger(__name__)

_FILE = "manifest.json"


class SetStore:
    """The sets of one system in a repository."""

    def __init__(self, restic: Restic, system: str) -> None:
        """Nothing is read yet."""
        self._restic = restic
        self._system = system

    def read_all(self) -> list[BackupSet]:
        """Read which sets there are, finished or not, of whatever system, the oldest first."""
        return group_sets(self._restic.snapshots())

    def read_sets(self) -> list[BackupSet]:
        """Read which sets of the system there are, finished or not, the oldest first."""
        return of_system(self.read_all(), self._system)

    def read_manifest(self, backup_set: BackupSet) -> Manifest:
        """Read what a set holds."""
        assert backup_set.manifest is not None
        text = self._restic.read_bytes(backup_set.manifest, f"/{_FILE}")
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            raise _unreadable(backup_set.id, f"{error.error_count()} fields are wrong") from None
        if manifest.version > VERSION:
            raise _unreadable(backup_set.id, f"it has version {manifest.version}")
        if manifest.system != self._system:
            raise BackupError(
                Reason.SET_NOT_FOUND,
                f"set {manifest.set} is of {manifest.system}, and not of {self._system}",
                "choose a set of this system",
                permanent=True,
            )
        return manifest

    def publish(self, manifest: Manifest) -> None:
        """Make a set a backup: its manifest comes last, and is read back like the rest."""
        own = [f"set={manifest.set}", f"system={manifest.system}", MANIFEST]
        tags = [*own, *(f"base={base}" for base in manifest.bases)]
        content = dump_manifest(manifest)
        snapshot = self._restic.save_bytes(content, _FILE, tags)
        if self._restic.read_bytes(snapshot, f"/{_FILE}") != content.decode():
            self._restic.forget([snapshot])
            raise BackupError(
                Reason.READ_BACK_FAILED,
                f"the manifest of set {manifest.set} came back changed",
                "this set is no backup; look at the repository's disk",
            )

    def mark(self, set_id: str, mark: str) -> None:
        """Keep beside a set that it was verified, or restored by a drill."""
        content = json.dumps({"set": set_id, "mark": mark}).encode()
        self._restic.save_bytes(content, f"{mark}.json", [f"set={set_id}", mark])

    def delete(self, sets: Sequence[BackupSet]) -> None:
        """Delete sets: first what makes them backups, so that half a set is never one."""
        if not sets:
            return
        logger.info("sets are deleted", extra={"sets": [backup_set.id for backup_set in sets]})
        snapshots = [snapshot for backup_set in sets for snapshot in backup_set.snapshots]
        self._restic.forget(_ids(snapshots, with_manifest=True))
        self._restic.forget(_ids(snapshots, with_manifest=False))

    def prune(self) -> None:
        """Give back the space of what was deleted."""
        self._restic.prune()


def _ids(snapshots: Sequence[StoredSnapshot], with_manifest: bool) -> list[str]:
    return [s.id for s in snapshots if (MANIFEST in s.tags) == with_manifest]


def choose_set(sets: Sequence[BackupSet], wanted: str) -> BackupSet:
    """Return a published set by its id, or the newest one."""
    backups = published(sets)
    if wanted == "latest" and backups:
        return backups[-1]
    for backup_set in backups:
        if backup_set.id == wanted:
            return backup_set
    known = ", ".join(backup_set.id for backup_set in backups[-5:]) or "none at all"
    raise BackupError(
        Reason.SET_NOT_FOUND,
        f"the repository has no set {wanted} of this system",
        f"choose one of the newest: {known}",
        permanent=True,
    )


def check_publishable(manifest: Manifest, sets: Sequence[BackupSet]) -> None:
    """Raise BackupError when another run has taken a set's name or deleted what it stands on."""
    known = {backup_set.id for backup_set in published(sets)}
    if manifest.set in known:
        problem = f"another run has published a set {manifest.set} meanwhile"
    elif gone := sorted(manifest.bases - {backup_set.id for backup_set in find_whole(sets)}):
        problem = f"what set {manifest.set} stands on is gone: {', '.join(gone)}"
    else:
        return
    mend = "let no two Backups share a repository; the next run tries again"
    raise BackupError(Reason.DUMP_FAILED, problem, mend)


def read_chain(
    store: SetStore, sets: Sequence[BackupSet], manifest: Manifest, name: str
) -> list[TargetRecord]:
    """Return the records that restore a target: the whole copy first, the wanted set last."""
    chain: list[TargetRecord] = []
    wanted: Manifest | None = manifest
    while wanted is not None:
        record = wanted.target(name)
        if record is None:
            raise BackupError(
                Reason.SET_NOT_FOUND,
                f"set {wanted.set} holds no target {name}",
                f"choose from {', '.join(target.name for target in wanted.targets)}",
                permanent=True,
            )
        chain.insert(0, record)
        wanted = store.read_manifest(choose_set(sets, record.base)) if record.base else None
    return chain


def _unreadable(set_id: str, problem: str) -> BackupError:
    return BackupError(
        Reason.SET_NOT_FOUND,
        f"the manifest of set {set_id} cannot be understood: {problem}",
        "run the trading-backup image of the release that made the set, or a newer one",
        permanent=True,
    )
