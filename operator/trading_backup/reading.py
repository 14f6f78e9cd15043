"""Reading back: every byte of a part comes out of the repository and is understood."""

from trading_backup.engines.parts import check_content
from trading_backup.errors import BackupError
from trading_backup.manifest import Part, TargetRecord
from trading_backup.postgresql.roles import COMPLETE
from trading_backup.programs import Command, Moved
from trading_backup.reasons import Reason
from trading_backup.restic import explain_failure, last_words
from trading_backup.tools import Tools


def read_back(tools: Tools, record: TargetRecord) -> None:
    """Read all parts of a target; raises BackupError for one that is not whole."""
    for part in record.parts:
        _READERS[part.format](tools, part)


def _read_archive(tools: Tools, part: Part) -> None:
    """Let pg_restore understand the whole archive: a short one ends in the middle of a table."""
    source = tools.restic.printing(part.snapshot, part.path)
    sink = Command(("pg_restore", "--file=/dev/null"))
    moved = tools.programs.pipe(source, sink, tools.progress.tell_bytes)
    if moved.broken_by is not None and moved.broken_by.name == "pg_restore":
        raise _unreadable(part, last_words(moved.broken_by))
    _check(part, moved)


def _read_script(tools: Tools, part: Part) -> None:
    _read_bytes(tools, part)
    if COMPLETE not in tools.restic.read_bytes(part.snapshot, part.path)[-300:]:
        raise _unreadable(part, "the script does not end as pg_dumpall ends it")


def _read_bytes(tools: Tools, part: Part) -> None:
    """Read a file, or a folder as an archive; restic compares the digest of every piece."""
    source = tools.restic.printing(part.snapshot, part.path)
    _check(part, tools.programs.read(source, tools.progress.tell_bytes))


def _check(part: Part, moved: Moved) -> None:
    if moved.broken_by is not None:
        raise explain_failure(moved.broken_by)
    check_content(part, moved)


def _unreadable(part: Part, words: str) -> BackupError:
    return BackupError(
        Reason.READ_BACK_FAILED,
        f"{part.path} of snapshot {part.snapshot[:8]} is not whole: {words}",
        "this set is no backup; the next run makes a new one",
    )


_READERS = {
    "PostgreSQLArchive": _read_archive,
    "SQL": _read_script,
    # Both were checked by their own programs before they were saved.
    "RDB": _read_bytes,
    "Folder": _read_bytes,
}
