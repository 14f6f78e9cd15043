"""The commands `restore` and `drill`: restore, compare with the facts, assert, then publish."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_backup.answer import Outcome, spell
from trading_backup.engines import open_engine
from trading_backup.engines.base import Engine
from trading_backup.errors import BackupError
from trading_backup.facts import Compared, compare_facts
from trading_backup.job import Job, RestoreMode, Target
from trading_backup.manifest import Manifest, TargetRecord
from trading_backup.reasons import Reason
from trading_backup.set_store import SetStore, choose_set, read_chain
from trading_backup.sets import RESTORED
from trading_backup.tools import Tools

logger = logging.getLogger(__name__)

# Facts in the answer, those that differ first.
_SHOWN = 16


@dataclass(frozen=True)
class Restoration:
    """One target with what restores it."""

    target: Target
    engine: Engine
    chain: Sequence[TargetRecord]

    @property
    def record(self) -> TargetRecord:
        """What the wanted set says of the target."""
        return self.chain[-1]


@dataclass(frozen=True)
class Findings:
    """What was compared and asserted."""

    compared: tuple[Compared, ...]
    untrue: tuple[str, ...]
    complete: bool  # whether every target could be asked

    @property
    def different(self) -> list[Compared]:
        """The facts that differ, over all targets."""
        return [fact for fact in self.compared if not fact.equal]


def restore(tools: Tools) -> Outcome:
    """Restore a set for good: into empty targets, or in the place of their data."""
    return _restore(tools, tools.job.restore.mode)


def drill(tools: Tools) -> Outcome:
    """Restore a set into empty targets that were made for it, and keep that it went well."""
    return _restore(tools, "Empty")


def _restore(tools: Tools, mode: RestoreMode) -> Outcome:
    began, store = tools.clock(), SetStore(tools.restic, tools.job.system)
    tools.open_repository()
    sets = store.read_sets()
    manifest = store.read_manifest(choose_set(sets, tools.job.restore.set))
    restorations = [
        Restoration(
            target, open_engine(target, tools), read_chain(store, sets, manifest, target.name)
        )
        for target in choose_targets(tools.job)
    ]
    _check_all(tools, restorations, in_place=mode == "InPlace")
    with _discarding_on_failure(tools, restorations):
        _restore_all(tools, restorations, in_place=mode == "InPlace")
        findings = _look(tools, restorations)
    if findings.different or findings.untrue:
        _discard(tools, restorations)
        return _refuse(tools, manifest, findings, began)
    tools.progress.enter("Publishing")
    for restoration in restorations:
        restoration.engine.publish()
    return _succeed(tools, store, manifest, findings, began)


@contextmanager
def _discarding_on_failure(tools: Tools, restorations: Sequence[Restoration]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _discard(tools, restorations)
        raise


def _discard(tools: Tools, restorations: Sequence[Restoration]) -> None:
    """Give back the room of data that do not count; the next run drops what stays all the same."""
    for restoration in restorations:
        try:
            restoration.engine.discard()
        except BackupError as error:
            tools.warn(f"what was restored beside the former data stays: {error}")


def choose_targets(job: Job) -> list[Target]:
    """Return the targets that a restore names, or all."""
    wanted = job.restore.targets
    return [target for target in job.targets if not wanted or target.name in wanted]


def _check_all(tools: Tools, restorations: Sequence[Restoration], in_place: bool) -> None:
    """Look at every target before the first one is written."""
    tools.progress.enter("Checking")
    for restoration in restorations:
        restoration.engine.check_target(restoration.record, in_place)


def _restore_all(tools: Tools, restorations: Sequence[Restoration], in_place: bool) -> None:
    names = tuple(restoration.target.name for restoration in restorations)
    expected = {each.record.name: each.record.seconds for each in restorations}
    tools.progress.enter_targets("Restoring", names, expected)
    for restoration in restorations:
        restoration.engine.restore(restoration.chain, in_place)
        logger.info("target restored", extra={"target": restoration.target.name})
        tools.progress.next_target()


def _look(tools: Tools, restorations: Sequence[Restoration]) -> Findings:
    names = tuple(restoration.target.name for restoration in restorations)
    tools.progress.enter_targets("Comparing", names)
    compared: list[Compared] = []
    untrue: list[str] = []
    complete = True
    for restoration in restorations:
        record = restoration.record
        found = restoration.engine.read_facts(record)
        if found is None:
            complete = False
        else:
            compared += compare_facts(record.name, record.facts, found)
        untrue += _find_untrue(tools.job, restoration)
        tools.progress.next_target()
    return Findings(tuple(compared), tuple(untrue), complete)


def _find_untrue(job: Job, restoration: Restoration) -> list[str]:
    asserted = {a.sql: a.name for a in job.assertions if a.target == restoration.target.name}
    untrue = restoration.engine.find_untrue(list(asserted))
    return [f"{restoration.target.name}: {asserted[text]}: {text}" for text in untrue]


def _refuse(tools: Tools, manifest: Manifest, findings: Findings, began: datetime) -> Outcome:
    details = _describe(tools, manifest, findings, began)
    if findings.different:
        first = findings.different[0]
        message = (
            f"{len(findings.different)} facts differ, first {first.target}: {first.fact} was "
            f"{first.expected} and is {first.found}: the restored data do not count; look at the "
            "set and verify it"
        )
        return Outcome(Reason.DATA_DIFFER, message, details)
    message = (
        f"not true of the restored data: {findings.untrue[0][:500]}: mend the assertion, or look "
        "at the source's data"
    )
    return Outcome(Reason.ASSERTION_FAILED, message, details)


def _succeed(
    tools: Tools, store: SetStore, manifest: Manifest, findings: Findings, began: datetime
) -> Outcome:
    details = _describe(tools, manifest, findings, began)
    if findings.complete and not tools.job.restore.targets:
        try:
            store.mark(manifest.set, RESTORED)
        except BackupError as error:
            # The data are restored; a repository that may not be written is no reason to fail.
            tools.warn(f"that set {manifest.set} was restored is not kept: {error}")
            details["warnings"] = list(tools.warnings)
    return Outcome(Reason.SUCCEEDED, f"set {manifest.set} is restored and compared", details)


def _describe(
    tools: Tools, manifest: Manifest, findings: Findings, began: datetime
) -> dict[str, Any]:
    chosen = {target.name for target in choose_targets(tools.job)}
    records = [record for record in manifest.targets if record.name in chosen]
    shown = sorted(findings.compared, key=lambda fact: fact.equal)
    return {
        "set": manifest.set,
        "mode": manifest.mode,
        "bytes": sum(record.bytes for record in records),
        "rtoSeconds": round((tools.clock() - began).total_seconds(), 1),
        "dataAsOf": spell(min(record.as_of for record in records)),
        "compared": len(findings.compared),
        "different": len(findings.different),
        "comparison": [fact.describe() for fact in shown[:_SHOWN]],
        "untrue": list(findings.untrue),
        "warnings": list(tools.warnings),
    }
