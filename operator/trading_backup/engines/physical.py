"""PostgreSQL by its files: a whole copy of the server, or what changed since an earlier one."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

from trading_backup.engines.parts import PartName, write_part
from trading_backup.engines.throwaway import start_server
from trading_backup.errors import BackupError
from trading_backup.job import PostgreSQLTarget
from trading_backup.manifest import Facts, Manifest, Part, TargetRecord
from trading_backup.postgresql.connection import Server, query
from trading_backup.postgresql.facts import (
    find_untrue,
    read_facts,
    read_logged_facts,
    read_versions,
)
from trading_backup.programs import Command, Finished
from trading_backup.reasons import Reason
from trading_backup.restic import last_words
from trading_backup.tools import Tools

_MANIFEST = "backup_manifest"
_FILES = "files"
# pg_waldump is no client program, and a server that starts from the copy reads the log anyway.
_VERIFY = ("pg_verifybackup", "--quiet", "--no-parse-wal")
# Below it a server knows no increments.
_INCREMENTAL_SINCE = 170_000


class PhysicalPostgreSQL:
    """One server with all its databases; facts are those of the target's database."""

    holds_by_copying = False

    def __init__(self, target: PostgreSQLTarget, tools: Tools) -> None:
        """Nothing is connected yet."""
        self._target = target
        self._tools = tools
        self._server = Server(target, tools)

    def hold(self) -> AbstractContextManager[None]:
        """Hold nothing: what changes during the copy is in it or not."""
        return nullcontext()

    def dump(self, set_id: str, base: Manifest | None) -> TargetRecord:
        """Copy the server's files; facts are those that were the same before and after."""
        began = time.monotonic()
        with self._scratch("copy") as folder:
            before, unlogged, as_of, versions = self._look()
            base_record = self._find_base(base)
            base_record = self._copy(folder, base_record)
            after, _, _, _ = self._look()
            facts = {table: found for table, found in before.items() if after.get(table) == found}
            part = self._save(set_id, folder)
        return TargetRecord(
            name=self._target.name,
            engine=self._target.engine,
            method=self._target.method,
            parts=(part,),
            facts=facts,
            versions=versions,
            as_of=as_of,
            seconds=round(time.monotonic() - began, 3),
            base=base.set if base and base_record else None,
            warnings=(*_warn_of_changes(before, facts), *_warn_of_unlogged(unlogged)),
        )

    def check_target(self, record: TargetRecord, in_place: bool) -> None:
        """Refuse a folder with something in it."""
        path = self._target.path
        if path is not None and path.exists() and any(path.iterdir()):
            raise BackupError(
                Reason.TARGET_NOT_EMPTY,
                f"{self._target.name}: {path} is not empty",
                "restore a physical set to a new volume, and let a datastore of the same version "
                "take it",
                permanent=True,
            )

    def restore(self, chain: Sequence[TargetRecord], in_place: bool) -> None:
        """Put the files of a chain together; a drill's server then starts on them."""
        path = self._target.path
        if path is None:
            raise BackupError(
                Reason.INVALID_JOB,
                f"{self._target.name}: a physical set needs a path to restore to",
                "name the folder of the new server's data",
                permanent=True,
            )
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len(chain) == 1:
            self._fetch(chain[0], path)
        else:
            self._combine(chain, path)
        path.chmod(0o700)  # the server insists
        self._run(Reason.RESTORE_FAILED, *_VERIFY, str(path))
        start_server(self._tools, self._target.start_file, self._server.ask)

    def read_facts(self, record: TargetRecord) -> Facts | None:
        """Read the same facts of the server that runs on the files; None without one."""
        if self._target.start_file is None:
            return None
        row_hashes = any("hash" in measures for measures in record.facts.values())
        with self._server.connected(self._target.database) as connection:
            return read_facts(connection, row_hashes)

    def find_untrue(self, statements: Sequence[str]) -> list[str]:
        """Return the statements that are not true of the restored data; without a server none."""
        if self._target.start_file is None:
            return []
        with self._server.connected(self._target.database) as connection:
            return find_untrue(connection, statements)

    def publish(self) -> None:
        """Nothing waits: the files are there."""

    def discard(self) -> None:
        """Nothing is beside the former files."""

    def _look(self) -> tuple[Facts, list[str], datetime, dict[str, str]]:
        """Read the facts, what no copy holds, the time before they were read, and the versions."""
        with self._server.connected(self._target.database) as connection:
            [(as_of,)] = query(connection, "SELECT now()")
            facts, unlogged = read_logged_facts(connection, self._tools.job.facts.row_hashes)
            return facts, unlogged, as_of, read_versions(connection)

    def _find_base(self, base: Manifest | None) -> TargetRecord | None:
        """Return what an increment can stand on; refuse what no copy can hold."""
        with self._server.connected(self._target.database) as connection:
            [(spaces,)] = query(connection, "SELECT count(*) - 2 FROM pg_tablespace")
            [(number,)] = query(connection, "SHOW server_version_num")
        if spaces:
            raise BackupError(
                Reason.TARGET_UNSUITABLE,
                f"{self._target.name}: the server has {spaces} tablespaces of its own",
                "use method Logical",
                permanent=True,
            )
        if self._tools.job.mode == "Full":
            return None
        if base is None or int(number) < _INCREMENTAL_SINCE:
            self._tools.warn(
                f"{self._target.name}: a full copy, not an increment: there is no earlier copy to "
                "stand on, or PostgreSQL is older than 17"
            )
            return None
        record = base.target(self._target.name)
        return record if record and record.method == "Physical" else None

    def _copy(self, folder: Path, base: TargetRecord | None) -> TargetRecord | None:
        """Copy the files and verify them; return the base that an increment stands on."""
        if base is not None:
            with self._scratch("base") as place:
                known = self._fetch_manifest(base, place)
                finished = self._copy_files(folder, f"--incremental={known}")
            if finished.code == 0:
                self._run(Reason.DUMP_FAILED, *_VERIFY, str(folder))
                return base
            self._tools.warn(
                f"{self._target.name}: a full copy, not an increment (the datastore's parameters "
                f"need summarize_wal: on): {last_words(finished)[:300]}"
            )
            _empty(folder)
        finished = self._copy_files(folder)
        self._check(Reason.DUMP_FAILED, finished)
        self._run(Reason.DUMP_FAILED, *_VERIFY, str(folder))
        return None

    def _copy_files(self, folder: Path, *options: str) -> Finished:
        words = (f"--pgdata={folder}", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        label = "--label=trading-backup"
        command = self._server.command(
            "pg_basebackup", self._target.database, *words, label, "--no-password", *options
        )
        return self._tools.programs.run(command)

    def _save(self, set_id: str, folder: Path) -> Part:
        name = PartName(set_id, self._target.name, _FILES)
        saved = self._tools.restic.save_folder(folder, name.tags, self._tools.progress.tell_share)
        return Part(
            name=_FILES,
            format="Folder",
            snapshot=saved.snapshot,
            path=str(folder),
            bytes=saved.bytes,
            added_bytes=saved.added_bytes,
        )

    def _fetch_manifest(self, base: TargetRecord, folder: Path) -> Path:
        """Write the list of files that an increment is told against."""
        part, file = base.part(_FILES), folder / _MANIFEST
        listed = part.model_copy(update={"path": f"{part.path}/{_MANIFEST}", "sha256": ""})
        write_part(self._tools, listed, Command(("dd", f"of={file}", "bs=1M", "status=none")))
        return file

    def _fetch(self, record: TargetRecord, folder: Path) -> None:
        part = record.part(_FILES)
        self._tools.restic.restore_folder(part.snapshot, part.path, folder, exactly=False)

    def _combine(self, chain: Sequence[TargetRecord], path: Path) -> None:
        with self._scratch("chain") as folder:
            copies = []
            for number, record in enumerate(chain):
                copy = folder / str(number)
                copy.mkdir(mode=0o700)
                self._fetch(record, copy)
                self._run(Reason.RESTORE_FAILED, *_VERIFY, str(copy))
                copies.append(str(copy))
            self._run(Reason.RESTORE_FAILED, "pg_combinebackup", f"--output={path}", *copies)

    def _run(self, reason: Reason, *words: str) -> None:
        self._check(reason, self._tools.programs.run(Command(words)))

    def _check(self, reason: Reason, finished: Finished) -> None:
        if finished.code:
            problem = f"{self._target.name}: {finished.name} ended with {finished.code}"
            mend = "mend its cause; the next run tries again"
            raise BackupError(reason, f"{problem}: {last_words(finished)}", mend)

    @contextmanager
    def _scratch(self, purpose: str) -> Iterator[Path]:
        """Make an empty folder and remove it at the end.

        Its path is the same every time: restic then finds the former copy's files unchanged.
        """
        folder = self._tools.job.scratch / "physical" / self._target.name / purpose
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def _warn_of_changes(before: Facts, steady: Facts) -> tuple[str, ...]:
    changed = len(before) - len(steady)
    if not changed:
        return ()
    return (f"{changed} of {len(before)} tables changed during the copy: no drill compares them",)


def _warn_of_unlogged(tables: Sequence[str]) -> tuple[str, ...]:
    if not tables:
        return ()
    listed = ", ".join(tables)[:300]
    return (f"unlogged tables are empty in a copy of the server's files: {listed}",)
