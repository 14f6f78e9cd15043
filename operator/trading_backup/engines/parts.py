"""Parts of a set: saved from a program's output, and written into another program."""

from collections.abc import Callable
from dataclasses import dataclass

from trading_backup.errors import BackupError
from trading_backup.manifest import Part, PartFormat
from trading_backup.programs import Command, Finished, Moved, Tell
from trading_backup.reasons import Reason
from trading_backup.restic import explain_failure, last_words
from trading_backup.tools import Tools


@dataclass(frozen=True)
class PartName:
    """Where a part belongs: its set, its target, and its name there."""

    set_id: str
    target: str
    part: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of its snapshot."""
        return (f"set={self.set_id}", f"target={self.target}", f"part={self.part}")


def save_output(
    tools: Tools,
    name: PartName,
    part_format: PartFormat,
    filename: str,
    source: Command,
    begun: Callable[[], None] = lambda: None,
) -> Part:
    """Save what a program prints as a part; raises BackupError when the program fails.

    `begun` is called once the program prints; when it raises, both programs end and nothing is
    saved.
    """
    saved, moved = tools.restic.save_stream(source, filename, name.tags, _telling(tools, begun))
    if saved is None:
        raise _dump_failed(name, moved)
    return Part(
        name=name.part,
        format=part_format,
        snapshot=saved.snapshot,
        path=f"/{filename}",
        bytes=saved.bytes,
        added_bytes=saved.added_bytes,
        sha256=saved.sha256,
    )


def _telling(tools: Tools, begun: Callable[[], None]) -> Tell:
    waiting = [begun]

    def tell(count: int) -> None:
        if waiting:
            waiting.pop()()
        tools.progress.tell_bytes(count)

    return tell


def _dump_failed(name: PartName, moved: Moved) -> BackupError:
    assert moved.broken_by is not None
    problem = (
        f"{name.target}: {moved.broken_by.name} ended with {moved.broken_by.code} after "
        f"{moved.bytes} bytes: {last_words(moved.broken_by)}"
    )
    return BackupError(Reason.DUMP_FAILED, problem, "mend its cause; the next run tries again")


Forgives = Callable[[Finished], bool]


def write_part(
    tools: Tools, part: Part, sink: Command, forgives: Forgives = lambda _: False
) -> None:
    """Write a part into a program; `forgives` looks at a program that ended badly."""
    moved = tools.programs.pipe(
        tools.restic.printing(part.snapshot, part.path), sink, tools.progress.tell_bytes
    )
    ended = moved.broken_by
    if ended is not None and ended.name != sink.name:
        raise explain_failure(ended)
    check_content(part, moved)
    if ended is not None and not forgives(ended):
        raise BackupError(
            Reason.RESTORE_FAILED,
            f"{ended.name} ended with {ended.code}: {last_words(ended)}",
            "mend its cause and restore again; the target holds a part of the data",
        )


def check_content(part: Part, moved: Moved) -> None:
    """Raise BackupError when other bytes come out of the repository than went in."""
    complete = moved.broken_by is None
    if complete and part.sha256 and (moved.bytes, moved.sha256) != (part.bytes, part.sha256):
        raise BackupError(
            Reason.READ_BACK_FAILED,
            f"{part.path} has {moved.bytes} bytes, not the {part.bytes} that were written",
            "this set is no backup; look at the repository's disk",
        )
