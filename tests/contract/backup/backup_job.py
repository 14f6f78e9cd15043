"""A backup Job without a cluster: its image, with the mounts that a pod would have."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.images.image_process import (
    REPOSITORY,
    ImageProcess,
    build_command,
    find_free_port,
    run_image,
)

IMAGE = "trading-backup"
OWNER = 1000
REPOSITORY_PASSWORD = "a repository's own password"
RUN_SECONDS = 240


@dataclass(frozen=True)
class Ended:
    """How a Job ended."""

    code: int
    answer: Mapping[str, Any]
    log: str

    def check(self) -> "Ended":
        """Fail with the log unless it went well."""
        assert (self.code, self.answer["outcome"]) == (0, "Succeeded"), self.log[-6000:]
        return self

    def failed(self, reason: str, code: int = 1) -> "Ended":
        """Fail with the log unless it failed for that reason."""
        assert (self.code, self.answer["reason"]) == (code, reason), self.log[-6000:]
        return self


@dataclass
class BackupJob:
    """The folders of one Backup, and the fields of its job file."""

    folder: Path
    targets: list[dict[str, Any]]
    fields: dict[str, Any] = field(default_factory=dict)
    mounts: dict[str, Path] = field(default_factory=dict)
    port: int = field(default_factory=find_free_port)

    def __post_init__(self) -> None:
        """Make the folders as a kubelet does, for the image's user."""
        for name in ("job", "secrets", "repository", "scratch", "answer"):
            (self.folder / name).mkdir(parents=True)
        self.write_secret("repository", REPOSITORY_PASSWORD)
        for name in ("repository", "scratch", "answer"):
            os.chown(self.folder / name, OWNER, OWNER)

    def write_secret(self, name: str, value: str) -> str:
        """Write a password file; return its path in the pod."""
        (self.folder / "secrets" / name).mkdir(exist_ok=True)
        (self.folder / "secrets" / name / "password").write_text(value)
        return f"/run/secrets/{name}/password"

    @property
    def repository(self) -> Path:
        """The repository's folder."""
        return self.folder / "repository"

    @property
    def locks(self) -> list[Path]:
        """What restic has locked."""
        return list((self.repository / "locks").glob("*"))

    def run(self, command: str, **fields: Any) -> Ended:
        """Run a command to its end."""
        with self.started(command, **fields) as process:
            code = process.process.wait(RUN_SECONDS)
            return self.ended(code, process)

    @contextmanager
    def started(self, command: str, **fields: Any) -> Iterator[ImageProcess]:
        """Start a command; whatever still runs at the end of the block is killed."""
        self._write_job(fields)
        (self.folder / "answer" / "log").unlink(missing_ok=True)
        log = self.folder / "log"
        with run_image(IMAGE, log, self._mounts(), self._environment(), [command]) as process:
            yield process

    def ended(self, code: int, process: ImageProcess) -> Ended:
        """Read the answer of a command that has ended."""
        text = self.folder / "answer" / "log"
        answer = json.loads(text.read_bytes()) if text.exists() else {"reason": None}
        assert not text.exists() or text.stat().st_size <= 4096
        return Ended(code, answer, process.output)

    def run_program(self, *words: str, given: bytes = b"") -> str:
        """Run another program of the image with the same mounts; return its output."""
        mounts = build_command(IMAGE, self._mounts(), self._restic_environment(), words[1:])
        place = mounts.index("--")
        mounts[place:place] = ["--entrypoint", words[0]]
        done = subprocess.run(mounts, cwd=REPOSITORY, capture_output=True, input=given, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def _write_job(self, fields: Mapping[str, Any]) -> None:
        content = {
            "backup": "nightly",
            "system": "momentum",
            "namespace": "default",
            "repository": {"path": "/repository"},
            "passwordFile": "/run/secrets/repository/password",
            "scratch": "/scratch",
            "targets": self.targets,
            "facts": {"rowHashes": True},
            **self.fields,
            **fields,
        }
        (self.folder / "job" / "job.json").write_text(json.dumps(content))

    def _mounts(self) -> dict[str, Path]:
        return {
            "/etc/trading-backup": self.folder / "job",
            "/run/secrets": self.folder / "secrets",
            "/repository": self.folder / "repository",
            "/scratch": self.folder / "scratch",
            "/answer": self.folder / "answer",
            **self.mounts,
        }

    def _environment(self) -> dict[str, str]:
        return {
            "TRADING_BACKUP_JOB": "/etc/trading-backup/job.json",
            "TRADING_BACKUP_TERMINATION": "/answer/log",
            "TRADING_BACKUP_PROGRESS_PORT": str(self.port),
        }

    def _restic_environment(self) -> dict[str, str]:
        return {
            "RESTIC_REPOSITORY": "/repository",
            "RESTIC_PASSWORD_FILE": "/run/secrets/repository/password",
            "RESTIC_CACHE_DIR": "/scratch/restic-cache",
        }


def change_manifest(job: BackupJob, pattern: str, replacement: str) -> None:
    """Let the only set say something else of itself."""
    [snapshot] = json.loads(job.run_program("restic", "snapshots", "--json", "--tag=manifest"))
    manifest = job.run_program("restic", "dump", snapshot["id"], "/manifest.json")
    changed, count = re.subn(pattern, replacement, manifest)
    assert count == 1, manifest
    job.run_program(
        *("restic", "backup", "--stdin", "--stdin-filename=manifest.json"),
        *(f"--tag={tag}" for tag in snapshot["tags"]),
        given=changed.encode(),
    )


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    """Wait until a condition is true; fail when it does not become so in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
