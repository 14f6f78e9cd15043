"""The command `verify`: the repository's structure, a share of its data, and one set in full."""

from trading_backup.answer import Outcome, spell
from trading_backup.reading import read_back
from trading_backup.reasons import Reason
from trading_backup.set_store import SetStore, choose_set, read_chain
from trading_backup.sets import VERIFIED, newest_marked, published
from trading_backup.tools import Tools


def verify(tools: Tools) -> Outcome:
    """Read a set back, check the repository, and mark the set as verified."""
    store = SetStore(tools.restic, tools.job.system)
    tools.open_repository()
    known = store.read_sets()
    chosen = choose_set(known, tools.job.restore.set)
    manifest = store.read_manifest(chosen)
    names = tuple(record.name for record in manifest.targets)
    tools.progress.enter_targets("ReadingBack", names)
    for record in manifest.targets:
        read_chain(store, known, manifest, record.name)  # what it stands on has to be there
        read_back(tools, record)
        tools.progress.next_target()
    tools.progress.enter("Verifying")
    tools.restic.check(tools.job.verify.read_data)
    store.mark(chosen.id, VERIFIED)
    sets = published(store.read_sets())
    newest = newest_marked(sets, VERIFIED)
    details = {
        "set": chosen.id,
        "mode": manifest.mode,
        "bytes": sum(record.bytes for record in manifest.targets),
        "sets": len(sets),
        "newestVerified": newest.id if newest else None,
        "dataAsOf": spell(manifest.data_as_of),
        "warnings": list(tools.warnings),
    }
    return Outcome(Reason.SUCCEEDED, f"set {chosen.id} is verified", details)
