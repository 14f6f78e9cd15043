"""The command `backup`: dump, read back, publish, verify, then retention."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from trading_backup.answer import Outcome, spell
from trading_backup.engines import open_engine
from trading_backup.engines.base import Engine
from trading_backup.errors import BackupError, StoppedError
from trading_backup.hooks import hooked
from trading_backup.manifest import Manifest, TargetRecord, find_shrunk
from trading_backup.presence import taking_turns
from trading_backup.reading import read_back
from trading_backup.reasons import Reason
from trading_backup.retention import decide_retention
from trading_backup.set_store import SetStore, check_publishable, read_chain
from trading_backup.sets import (
    VERIFIED,
    BackupSet,
    find_unfinished,
    newest_marked,
    next_set_id,
    of_system,
    published,
)
from trading_backup.tools import Tools

logger = logging.getLogger(__name__)

# The newest sets that the answer names, so that nobody chooses one that retention has deleted.
_NAMED = 10


def back_up(tools: Tools) -> Outcome:
    """Make a new set, once no other run makes one."""
    tools.progress.enter("WaitingForAnotherRun")
    with taking_turns(tools.job.repository.path, tools.stop.check):
        return _back_up(tools)


def _back_up(tools: Tools) -> Outcome:
    """Make a new set; whatever fails before its manifest leaves no backup."""
    store = SetStore(tools.restic, tools.job.system)
    _open_repository(tools)
    sets = _sweep(tools, store, store.read_all())
    set_id = _choose_id(tools, sets)
    before = _read_newest(tools, store, sets)
    base = _find_base(tools, store, sets, before)
    tools.presence.begin_writing()
    manifest = _dump(tools, set_id, before, base)
    _read_back(tools, manifest)
    tools.progress.enter("Publishing")
    # In a bucket nobody can be seen: another run may have taken the name, or deleted a base.
    check_publishable(manifest, store.read_sets())
    store.publish(manifest)
    tools.presence.end_writing()
    for warning in find_shrunk(manifest, before):
        tools.warn(warning)
    return _verify_and_retain(tools, store, manifest)


def _read_newest(tools: Tools, store: SetStore, sets: list[BackupSet]) -> Manifest | None:
    """Read the newest set's manifest: its times and sizes are a guide."""
    backups = published(of_system(sets, tools.job.system))
    try:
        return store.read_manifest(backups[-1]) if backups else None
    except StoppedError:
        raise
    except BackupError as error:
        # Made by a later release, or damaged: no reason to make no backup. An increment needs it.
        if not error.permanent and tools.job.mode != "Full":
            raise
        tools.warn(f"set {backups[-1].id} is not compared with: {error}")
        return None


def _find_base(
    tools: Tools, store: SetStore, sets: Sequence[BackupSet], before: Manifest | None
) -> Manifest | None:
    """Return what increments may stand on: the set before, when all of its own bases are there."""
    if before is None or tools.job.mode == "Full":
        return None
    try:
        for record in before.targets:
            read_chain(store, sets, before, record.name)
    except BackupError as error:
        if not error.permanent:
            raise
        tools.warn(f"full copies, not increments: set {before.set} cannot be restored: {error}")
        return None
    return before


def _open_repository(tools: Tools) -> None:
    tools.progress.enter("OpeningRepository")
    if not tools.restic.open(tools.presence.alone):
        tools.warn("the repository is new: there was none")
        tools.restic.init()


def _sweep(tools: Tools, store: SetStore, sets: list[BackupSet]) -> list[BackupSet]:
    """Delete what runs that were killed left, once nobody can be writing it any more."""
    unfinished = find_unfinished(sets, tools.clock(), tools.presence.alone)
    store.delete(unfinished)
    # A run that died before its first snapshot has left data all the same.
    if unfinished or tools.presence.torn:
        store.prune()
    # Their ids stay taken: the clock may have gone back.
    return sets


def _choose_id(tools: Tools, sets: list[BackupSet]) -> str:
    set_id, clock_went_back = next_set_id(tools.clock(), sets)
    if clock_went_back:
        tools.warn(f"the clock is behind the newest set: this one is called {set_id}")
    return set_id


def _dump(tools: Tools, set_id: str, before: Manifest | None, base: Manifest | None) -> Manifest:
    job, began = tools.job, tools.clock()
    names = tuple(target.name for target in job.targets)
    expected = {record.name: record.seconds for record in before.targets} if before else {}
    with hooked(tools, job.hooks):
        engines = [open_engine(target, tools) for target in job.targets]
        with _held(tools, engines):
            tools.progress.enter_targets("Dumping", names, expected)
            records = [_dump_target(tools, engine, set_id, base) for engine in engines]
    return Manifest(
        set=set_id,
        backup=job.backup,
        system=job.system,
        namespace=job.namespace,
        mode="Incremental" if any(record.base for record in records) else "Full",
        started_at=began,
        ended_at=tools.clock(),
        targets=tuple(records),
    )


@contextmanager
def _held(tools: Tools, engines: Sequence[Engine]) -> Iterator[None]:
    """Hold one moment of all targets, as near as each engine can.

    Databases that are dumped are held within milliseconds of each other, and Redis begins its copy
    then: after its own repl-diskless-sync-delay, 5 s by default. What holds nothing is of the time
    at which it is read, a physical copy of its end.
    """
    tools.progress.enter("Holding")
    with ExitStack() as stack:
        for engine in sorted(engines, key=lambda engine: engine.holds_by_copying):
            stack.enter_context(engine.hold())
        yield


def _dump_target(tools: Tools, engine: Engine, set_id: str, base: Manifest | None) -> TargetRecord:
    record = engine.dump(set_id, base)
    for warning in record.warnings:
        tools.warn(f"{record.name}: {warning}")
    logger.info("target dumped", extra={"target": describe_target(record)})
    tools.progress.next_target()
    return record


def _read_back(tools: Tools, manifest: Manifest) -> None:
    names = tuple(record.name for record in manifest.targets)
    tools.progress.enter_targets("ReadingBack", names)
    for record in manifest.targets:
        read_back(tools, record)
        tools.progress.next_target()


def _verify_and_retain(tools: Tools, store: SetStore, manifest: Manifest) -> Outcome:
    """Check the repository; only a verified set may let older ones go."""
    try:
        tools.progress.enter("Verifying")
        tools.restic.check(tools.job.verify.read_data)
        store.mark(manifest.set, VERIFIED)
        tools.progress.enter("Retention")
        sets = _retain(tools, store)
    except BackupError as error:
        message = f"set {manifest.set} is published, but: {error}"
        return Outcome(error.reason, message, _describe(tools, manifest))
    details = _describe(tools, manifest) | _count(sets)
    return Outcome(Reason.SUCCEEDED, f"set {manifest.set} is published and verified", details)


def _retain(tools: Tools, store: SetStore) -> list[BackupSet]:
    decision = decide_retention(store.read_sets(), tools.job.retention, tools.clock())
    store.delete(decision.deleted)
    if decision.deleted:
        store.prune()
    return list(decision.kept)


def _count(sets: list[BackupSet]) -> dict[str, Any]:
    verified = newest_marked(sets, VERIFIED)
    newest = [backup_set.id for backup_set in reversed(sets)][:_NAMED]
    count = {"sets": len(sets), "newestVerified": verified.id if verified else None}
    return {**count, "kept": newest}


def _describe(tools: Tools, manifest: Manifest) -> dict[str, Any]:
    return {
        "set": manifest.set,
        "mode": manifest.mode,
        "bytes": sum(record.bytes for record in manifest.targets),
        "addedBytes": sum(record.added_bytes for record in manifest.targets),
        "dataAsOf": spell(manifest.data_as_of),
        "targets": [describe_target(record) for record in manifest.targets],
        "warnings": list(tools.warnings),
    }


def describe_target(record: TargetRecord) -> dict[str, Any]:
    """Return a target as an answer has it."""
    return {"name": record.name, "bytes": record.bytes, "seconds": record.seconds}
