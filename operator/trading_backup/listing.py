"""The command `list`: the sets that are backups, as JSON in the log."""

import logging

from trading_backup.answer import Outcome, spell
from trading_backup.reasons import Reason
from trading_backup.set_store import SetStore
from trading_backup.sets import RESTORED, VERIFIED, BackupSet, newest_marked, published
from trading_backup.tools import Tools

logger = logging.getLogger(__name__)


def list_sets(tools: Tools) -> Outcome:
    """Log every set; answer with how many there are."""
    tools.open_repository()
    sets = published(SetStore(tools.restic, tools.job.system).read_sets())
    for backup_set in sets:
        logger.info("set", extra=_describe(backup_set))
    verified = newest_marked(sets, VERIFIED)
    details = {
        "set": sets[-1].id if sets else None,
        "sets": len(sets),
        "newestVerified": verified.id if verified else None,
    }
    return Outcome(Reason.SUCCEEDED, f"{len(sets)} sets", details)


def _describe(backup_set: BackupSet) -> dict[str, object]:
    marks = {mark: backup_set.marked_at(mark) for mark in (VERIFIED, RESTORED)}
    times = {f"{mark}At": spell(time) for mark, time in marks.items() if time}
    return {"set": backup_set.id, "bases": sorted(backup_set.bases), **times}
