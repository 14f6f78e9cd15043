"""Who backs up: the plain tools, and the program of our Jobs, in the same image."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.backups.database import DATABASE, PASSWORD, USER, Database
from bench.backups.image import Image, make_folder
from bench.backups.probes import Span, find_phase

_IMAGE, _OWNER = "trading-backup", 1000
_JOB = "/etc/trading-backup/job.json"
# How pg_dump compresses unasked, and as restic does: zstd, of which both take about level 3.
DEFAULT, FAIR = "gzip", "zstd"
_TIMED = 'began=$(date +%s.%N); "$@" >&2 || exit 1; echo "$(date +%s.%N) $began"'


@dataclass(frozen=True)
class PlainTools:
    """pg_dump, pg_restore and pg_basebackup as people call them by hand."""

    database: Database
    folder: Path

    def __post_init__(self) -> None:
        """Make the folder that they write to."""
        make_folder(self.folder, _OWNER)

    def dump(self, compression: str = FAIR) -> Span:
        """Dump the database; return when."""
        options = ("--format=custom", f"--compress={compression}")
        return self._timed("pg_dump", *options, f"--file=/scratch/{compression}.dump", DATABASE)

    def measure_dump(self, compression: str = FAIR) -> int:
        """Return how many bytes the dump has."""
        return (self.folder / f"{compression}.dump").stat().st_size

    def restore(self) -> Span:
        """Restore the dump into an empty database; return when."""
        name = self.database.make("plain_restored")
        return self._timed("pg_restore", f"--dbname={name}", f"/scratch/{FAIR}.dump")

    def copy(self) -> Span:
        """Copy the server's files; return when."""
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        words = ("--pgdata=/scratch/copy", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        return self._timed("pg_basebackup", *words)

    def _timed(self, *words: str) -> Span:
        environment = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.database.port),
            "PGUSER": USER,
            "PGPASSWORD": PASSWORD,
        }
        log = self.folder.parent / "plain.log"
        image = Image(_IMAGE, log, {"/scratch": self.folder}, environment)
        ended, began = image.run(["-c", _TIMED, "timed", *words], "sh").split()[-2:]
        return Span(float(began), float(ended))


@dataclass(frozen=True)
class Program:
    """The program of a Backup's Jobs, with a repository of its own."""

    database: Database
    folder: Path
    method: str
    mounts: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folders that a pod would have."""
        for inside, name in (("/repository", "repository"), ("/scratch", "scratch")):
            self.mounts[inside] = make_folder(self.folder / name, _OWNER)
        self.mounts["/answer"] = make_folder(self.folder / "answer", _OWNER)
        for inside, name in (("/etc/trading-backup", "job"), ("/run/secrets", "secrets")):
            self.mounts[inside] = self.folder / name
            self.mounts[inside].mkdir()
        (self.folder / "secrets" / "repository").write_text("of the repository")
        (self.folder / "secrets" / "database").write_text(PASSWORD)

    def back_up(self, mode: str = "Full") -> Mapping[str, Any]:
        """Take a backup, read it back, publish and verify it; return the answer."""
        return self._run("backup", self._target(DATABASE), {"mode": mode})

    def read_data(self) -> Span:
        """Take a backup; return when it read the database, without what it did before and after."""
        self.back_up()
        return find_phase(self._log.read_text(encoding="utf-8"), "Dumping")

    def restore(self) -> Mapping[str, Any]:
        """Restore the newest set, into an empty database or an empty folder."""
        if self.method == "Physical":
            place = self.folder / "scratch" / "restored"
            shutil.rmtree(place, ignore_errors=True)
            return self._run("drill", {**self._target(DATABASE), "path": "/scratch/restored"}, {})
        return self._run("drill", self._target(self.database.make("program_restored")), {})

    @property
    def _log(self) -> Path:
        return self.folder.with_suffix(".log")

    def _target(self, database: str) -> dict[str, Any]:
        return {
            "name": "db",
            "engine": "PostgreSQL",
            "method": self.method,
            "host": "127.0.0.1",
            "port": self.database.port,
            "user": USER,
            "database": database,
            "passwordFile": "/run/secrets/database",
        }

    def _run(self, command: str, target: dict[str, Any], more: dict[str, Any]) -> Mapping[str, Any]:
        job = {
            "backup": "bench",
            "system": "bench",
            "namespace": "bench",
            "repository": {"path": "/repository"},
            "passwordFile": "/run/secrets/repository",
            "scratch": "/scratch",
            "targets": [target],
            **more,
        }
        (self.folder / "job" / "job.json").write_text(json.dumps(job), encoding="utf-8")
        environment = {
            "TRADING_BACKUP_JOB": _JOB,
            "TRADING_BACKUP_TERMINATION": "/answer/said",
            "TRADING_BACKUP_PROGRESS_PORT": "0",  # any: nobody asks, and it is the machine's own
        }
        Image(_IMAGE, self._log, self.mounts, environment).run([command])
        answer: Mapping[str, Any] = json.loads((self.folder / "answer" / "said").read_bytes())
        return answer
