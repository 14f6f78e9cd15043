"""Jobs, sets and manifests for the tests."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from trading_backup.manifest import Manifest, Part, TargetRecord
from trading_backup.sets import BackupSet, StoredSnapshot, format_set_id

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def job_of(**fields: Any) -> dict[str, Any]:
    """A job file's content."""
    return {
        "backup": "nightly",
        "system": "momentum",
        "namespace": "default",
        "repository": {"path": "/repository"},
        "passwordFile": "/run/secrets/repository/password",
        "scratch": "/scratch",
        "targets": [database_of("timescaledb")],
        **fields,
    }


def database_of(name: str, **fields: Any) -> dict[str, Any]:
    """A database target of a job file."""
    return {
        "name": name,
        "engine": "TimescaleDB",
        "host": f"momentum-{name}",
        "user": "trading",
        "database": "trading",
        "passwordFile": f"/run/secrets/{name}/password",
        **fields,
    }


def days_ago(days: float) -> datetime:
    """A time before NOW, in whole seconds."""
    return NOW - timedelta(seconds=round(days * 86400))


def set_of(days: float, *marks: str, base: float | None = None, manifest: bool = True) -> BackupSet:
    """A set that began so many days ago; `base` is the age of the set that it stands on."""
    set_id = format_set_id(days_ago(days))
    tags = {f"set={set_id}"}
    snapshots = [snapshot_of(f"{set_id}-data", days_ago(days), tags)]
    if manifest:
        bases = set() if base is None else {f"base={format_set_id(days_ago(base))}"}
        snapshots.append(snapshot_of(f"{set_id}-m", days_ago(days), {*tags, "manifest"} | bases))
    for mark in marks:
        snapshots.append(snapshot_of(f"{set_id}-{mark}", days_ago(days), {*tags, mark}))
    return BackupSet(set_id, tuple(snapshots))


def snapshot_of(name: str, time: datetime, tags: Iterable[str]) -> StoredSnapshot:
    """One of restic's snapshots."""
    return StoredSnapshot(name, time, frozenset(tags))


def record_of(name: str, size: int = 100, **fields: Any) -> TargetRecord:
    """What a set holds of a target."""
    part = Part(
        name="dump",
        format="PostgreSQLArchive",
        snapshot="a" * 64,
        path=f"/{name}.pgdump",
        bytes=size,
        added_bytes=size // 2,
    )
    known = {"engine": "PostgreSQL", "method": "Logical", "as_of": NOW, "seconds": 1.5, **fields}
    return TargetRecord(name=name, parts=(part,), **known)


def manifest_of(*records: TargetRecord) -> Manifest:
    """A set's manifest."""
    return Manifest(
        set=format_set_id(NOW),
        backup="nightly",
        system="momentum",
        namespace="default",
        mode="Full",
        started_at=NOW,
        ended_at=NOW,
        targets=records,
    )
