"""Volumes: a mounted folder with every file of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from trading_backup.engines.base import refuse_statements
from trading_backup.engines.parts import PartName
from trading_backup.errors import BackupError
from trading_backup.job import VolumeTarget
from trading_backup.manifest import Facts, Manifest, Part, TargetRecord
from trading_backup.reasons import Reason
from trading_backup.tools import Tools

# What a file system makes by itself.
_OF_THE_FILE_SYSTEM = frozenset({"lost+found"})


class Volume:
    """One folder."""

    holds_by_copying = False

    def __init__(self, target: VolumeTarget, tools: Tools) -> None:
        """Nothing is read yet."""
        self._target = target
        self._tools = tools

    def hold(self) -> AbstractContextManager[None]:
        """Hold nothing: what changes during the copy is in it or not."""
        return nullcontext()

    def dump(self, set_id: str, base: Manifest | None) -> TargetRecord:
        """Save the folder; a file that cannot be read is a failure."""
        began, as_of = time.monotonic(), self._tools.clock()
        folder = str(self._target.path)
        if not self._target.path.is_dir():
            raise self._unsuitable(f"{folder} is no folder", "mount the volume there")
        name = PartName(set_id, self._target.name, "files")
        tell = self._tools.progress.tell_share
        saved = self._tools.restic.save_folder(self._target.path, name.tags, tell)
        # Counted in the snapshot: the folder may have changed since.
        measured = self._tools.restic.measure_folder(saved.snapshot, folder)
        if not measured.files:
            self._tools.warn(f"{self._target.name}: the volume has no file")
        part = Part(
            name="files",
            format="Folder",
            snapshot=saved.snapshot,
            path=folder,
            bytes=measured.bytes,
            added_bytes=saved.added_bytes,
        )
        return TargetRecord(
            name=self._target.name,
            engine=self._target.engine,
            method="Logical",
            parts=(part,),
            facts={"volume": {"files": measured.files, "bytes": measured.bytes}},
            as_of=as_of,
            seconds=round(time.monotonic() - began, 3),
        )

    def check_target(self, record: TargetRecord, in_place: bool) -> None:
        """Refuse a folder with something in it."""
        folder = self._target.path
        if not folder.is_dir():
            raise self._unsuitable(f"{folder} is no folder", "mount the volume there")
        found = [path.name for path in folder.iterdir() if path.name not in _OF_THE_FILE_SYSTEM]
        if found and not in_place:
            raise BackupError(
                Reason.TARGET_NOT_EMPTY,
                f"{self._target.name}: {folder} holds {len(found)} entries, e.g. {found[0]}",
                "restore to an empty volume, or ask for mode InPlace, which deletes what the set "
                "does not have",
                permanent=True,
            )

    def restore(self, chain: Sequence[TargetRecord], in_place: bool) -> None:
        """Write the files, compared with the repository after they were written."""
        [part] = chain[-1].parts
        self._tools.restic.restore_folder(
            part.snapshot, part.path, self._target.path, exactly=in_place
        )

    def read_facts(self, record: TargetRecord) -> Facts:
        """Count the files and their bytes."""
        sizes = [path.stat().st_size for path in _find_files(self._target.path)]
        return {"volume": {"files": len(sizes), "bytes": sum(sizes)}}

    def find_untrue(self, statements: Sequence[str]) -> list[str]:
        """Refuse assertions."""
        return refuse_statements(self._target.engine, statements)

    def publish(self) -> None:
        """Nothing waits: the files are there."""

    def discard(self) -> None:
        """Nothing is beside the former files."""

    def _unsuitable(self, problem: str, mend: str) -> BackupError:
        name = self._target.name
        return BackupError(Reason.TARGET_UNSUITABLE, f"{name}: {problem}", mend, permanent=True)


def _find_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if (
            not _OF_THE_FILE_SYSTEM.intersection(inside)
            and path.is_file()
            and not path.is_symlink()
        ):
            yield path
