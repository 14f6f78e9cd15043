"""restic as a child program: its commands, its environment, and what its exit codes mean."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trading_backup.errors import BackupError
from trading_backup.job import Job, Repository
from trading_backup.programs import Command, Finished, Moved, Programs
from trading_backup.reasons import Reason
from trading_backup.secret_files import SecretFiles
from trading_backup.sets import StoredSnapshot

_RETRY_LOCK = "7m"
# restic itself would go on for a quarter of an hour, also with a key that nobody knows.
_OPEN_SECONDS = 60.0
_NO_REPOSITORY = 10
_LOCKED = 11
# What restic says of snapshots that it leaves out of a list, with an exit code of 0.
_UNREAD = re.compile(r'Ignoring "|could not load snapshots: ')
# What a file system makes by itself; only root may read it.
_OF_THE_FILE_SYSTEM = "lost+found"


@dataclass(frozen=True)
class Saved:
    """A snapshot that was made."""

    snapshot: str
    bytes: int
    added_bytes: int
    sha256: str = ""


@dataclass(frozen=True)
class Folder:
    """What is below a folder of a snapshot."""

    files: int
    bytes: int


class Restic:
    """The repository of one Backup."""

    def __init__(self, programs: Programs, host: str, environment: Mapping[str, str]) -> None:
        """Name snapshots after `host`: pods have other names each time, and parents go by it."""
        self._programs = programs
        self._host = host
        self._environment = environment

    @property
    def place(self) -> str:
        """Where the repository is."""
        return self._environment["RESTIC_REPOSITORY"]

    def open(self, alone: bool) -> bool:
        """Take away locks that are nobody's: all when alone; False when there is no repository."""
        everybodys = ["--remove-all"] if alone else []
        command = self.command("unlock", *everybodys)
        finished = self._programs.run(command, seconds=_OPEN_SECONDS)
        if finished.code == _NO_REPOSITORY:
            return False
        _check(finished)
        return True

    def init(self) -> None:
        """Make the repository."""
        self._run("init", "--repository-version=2")

    def snapshots(self) -> list[StoredSnapshot]:
        """Read all snapshots; raises BackupError when one of them cannot be read.

        restic itself leaves such a one out, says so, and ends well. A list that lacks the manifest
        of a good set would let it be swept away.
        """
        finished = self._run("snapshots", "--json")
        if find_unread(finished):
            # Another Job may have deleted it between two of restic's looks: then it is not listed.
            finished = self._run("snapshots", "--json")
        if unread := find_unread(finished):
            raise _damaged(f"restic could not read all snapshots: {unread}")
        return parse_snapshots(finished.output)

    def save_stream(
        self, source: Command, filename: str, tags: Sequence[str], tell: Callable[[int], None]
    ) -> tuple[Saved | None, Moved]:
        """Save what a program prints, when it ends well; without a snapshot `Moved` says why.

        Not by --stdin-from-command: restic below 0.19 waits for ever for a program that it no
        longer reads, as when the repository's disk is full (restic#5683).
        """
        # A name without a folder: restic 0.18.0 fails for another one (restic#5324).
        sink = self._backup(tags, "--stdin", f"--stdin-filename={filename}")
        moved = self._programs.pipe(source, sink, tell)
        if moved.broken_by is None:
            saved = _parse_summary(moved.output.splitlines())
            return Saved(saved.snapshot, moved.bytes, saved.added_bytes, moved.sha256), moved
        if moved.broken_by.name == sink.name:
            _check(moved.broken_by)
        return None, moved

    def save_bytes(self, content: bytes, filename: str, tags: Sequence[str]) -> str:
        """Save a small file; return its snapshot."""
        command = self._backup(tags, "--stdin", f"--stdin-filename={filename}")
        finished = self._programs.run(command, content)
        _check(finished)
        return _parse_summary(finished.output.splitlines()).snapshot

    def save_folder(
        self, folder: Path, tags: Sequence[str], tell: Callable[[float], None]
    ) -> Saved:
        """Save a folder and tell which share is done; a file that cannot be read is a failure."""

        def tell_share(line: str) -> None:
            for status in _parse_lines([line], "status"):
                tell(float(status.get("percent_done", 0)))

        command = self._backup(tags, f"--exclude={_OF_THE_FILE_SYSTEM}", str(folder))
        finished = self._programs.run_lines(command, tell_share)
        _check(finished)
        return _parse_summary(finished.output.splitlines())

    def printing(self, snapshot: str, path: str) -> Command:
        """The command that prints a file of a snapshot, or a folder as a tar archive."""
        return self.command("dump", snapshot, path)

    def read_bytes(self, snapshot: str, path: str) -> str:
        """Read a small file of a snapshot."""
        return self._run("dump", snapshot, path).output

    def restore_folder(self, snapshot: str, folder: str, target: Path, exactly: bool) -> None:
        """Write a folder of a snapshot to `target` and compare what was written.

        `exactly` also deletes what the snapshot does not have.
        """
        options = ["--verify", f"--target={target}"]
        if exactly:
            options += ["--delete", f"--exclude={_OF_THE_FILE_SYSTEM}"]
        finished = self._run_unlocked("restore", *options, f"{snapshot}:{folder}")
        if finished.code == 1:
            raise BackupError(
                Reason.RESTORE_FAILED,
                f"restic wrote not all of {folder} to {target}: {last_words(finished)}",
                "give the target as much room as the set needs, and let this pod's user write",
            )
        _check(finished)

    def measure_folder(self, snapshot: str, folder: str) -> Folder:
        """Count the files below a folder of a snapshot and their bytes."""
        files = size = 0

        def add(line: str) -> None:
            nonlocal files, size
            for node in _parse_lines([line], "node"):
                if node.get("type") == "file" and _is_below(node["path"], folder):
                    files, size = files + 1, size + int(node.get("size", 0))

        _check(self._programs.run_lines(self.command("ls", "--json", snapshot), add))
        return Folder(files, size)

    def check(self, read_data: str) -> None:
        """Check the repository's structure and read a part of its data."""
        subset = [] if _read_percent(read_data) == 0 else [f"--read-data-subset={read_data}"]
        finished = self._run_unlocked("check", *subset)
        if "contains errors" in finished.errors:
            raise _damaged(f"restic check found errors: {last_words(finished)}")
        _check(finished)

    def forget(self, snapshots: Sequence[str]) -> None:
        """Delete snapshots; their data stay until prune."""
        for start in range(0, len(snapshots), 1000):
            self._run("forget", *snapshots[start : start + 1000])

    def prune(self) -> None:
        """Delete the data that no snapshot has any more."""
        self._run("prune")

    def command(self, *words: str) -> Command:
        """Build a command of restic."""
        options = ("--quiet", f"--retry-lock={_RETRY_LOCK}")
        return Command(("restic", *options, *words), self._environment)

    def _backup(self, tags: Sequence[str], *words: str) -> Command:
        options = ("--json", f"--host={self._host}", *(f"--tag={tag}" for tag in tags))
        return self.command("backup", *options, *words)

    def _run(self, *words: str) -> Finished:
        finished = self._run_unlocked(*words)
        _check(finished)
        return finished

    def _run_unlocked(self, *words: str) -> Finished:
        """Run a command once nobody else's lock is in its way.

        Until the Job's deadline: a drill may read for hours, and who gives up before its end would
        make the whole backup again. A lock that a killed Job left is taken away after half an hour.
        """
        while (finished := self._programs.run(self.command(*words))).code == _LOCKED:
            # Without --remove-all: only locks that nobody has renewed for half an hour.
            self._programs.run(self.command("unlock"))
        return finished


def open_restic(job: Job, programs: Programs, secrets: SecretFiles) -> Restic:
    """Build the access to a job's repository; secrets go by file or by the child's environment."""
    secrets.read(job.password_file, "the repository")
    environment = {
        "RESTIC_PASSWORD_FILE": str(job.password_file),
        "RESTIC_CACHE_DIR": str(job.scratch / "restic-cache"),
        # One line in five seconds is enough for /progress.
        "RESTIC_PROGRESS_FPS": "0.2",
        **_locate(job.repository, secrets),
    }
    return Restic(programs, f"{job.namespace}.{job.system}", environment)


def _locate(repository: Repository, secrets: SecretFiles) -> dict[str, str]:
    if repository.s3 is None:
        return {"RESTIC_REPOSITORY": str(repository.path)}
    s3 = repository.s3
    place = "/".join(part for part in (s3.endpoint.rstrip("/"), s3.bucket, s3.prefix) if part)
    located = {
        "RESTIC_REPOSITORY": f"s3:{place}",
        "AWS_ACCESS_KEY_ID": secrets.read(s3.access_key_file, "the bucket"),
        "AWS_SECRET_ACCESS_KEY": secrets.read(s3.secret_key_file, "the bucket"),
    }
    if s3.region:
        located["AWS_DEFAULT_REGION"] = s3.region
    if s3.ca_file:
        located["RESTIC_CACERT"] = str(s3.ca_file)
    return located


def parse_snapshots(listing: str) -> list[StoredSnapshot]:
    """Read restic's list of snapshots."""
    return [
        StoredSnapshot(
            str(item["id"]),
            datetime.fromisoformat(str(item["time"])),
            frozenset(item.get("tags") or ()),
        )
        for item in json.loads(listing or "[]") or ()
    ]


def find_unread(finished: Finished) -> str:
    """Return what restic said of snapshots that it lists without: nothing when it read all."""
    lines = finished.errors.splitlines()
    return " / ".join(line.strip() for line in lines if _UNREAD.match(line.strip()))[:600]


def _damaged(problem: str) -> BackupError:
    return BackupError(
        Reason.REPOSITORY_DAMAGED,
        problem,
        "keep the repository as it is, run `restic check --read-data` on a copy of it, and "
        "follow what it says; no set is deleted until then",
    )


def _parse_lines(lines: Sequence[str], kind: str) -> Iterator[dict[str, Any]]:
    """Yield the messages of a kind; other lines are not for us."""
    for line in lines:
        if line.startswith("{"):
            message = json.loads(line)
            if message.get("message_type") == kind:
                yield message


def _parse_summary(lines: Sequence[str]) -> Saved:
    for summary in _parse_lines(lines, "summary"):
        return Saved(
            str(summary["snapshot_id"]),
            int(summary["total_bytes_processed"]),
            int(summary["data_added_packed"]),
        )
    raise BackupError(
        Reason.REPOSITORY_FAILED,
        "restic gave no summary of what it saved",
        "run the trading-backup image, which has restic 0.18",
    )


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder.rstrip('/')}/")


def _read_percent(read_data: str) -> float | None:
    """Return the number before %, None for a size or a part."""
    return float(read_data[:-1]) if read_data.endswith("%") else None


def last_words(finished: Finished) -> str:
    """Return what a program said last, without the frame that restic's JSON puts around it."""
    lines = [text for line in finished.errors.splitlines() for text in _unframe(line).splitlines()]
    return " / ".join(line.strip() for line in lines if line.strip())[-600:] or "it said nothing"


def _unframe(line: str) -> str:
    try:
        message = json.loads(line)
        return str(message.get("message") or message["error"]["message"])
    except (ValueError, AttributeError, KeyError, TypeError):
        return line  # plain words, or the end of a line whose start was cut off


_WHY: dict[int, tuple[Reason, str, bool]] = {
    3: (Reason.UNREADABLE_FILES, "let this pod's user read all of the folder", True),
    _NO_REPOSITORY: (
        Reason.REPOSITORY_MISSING,
        "look whether repository names the right place; a backup makes a new one",
        True,
    ),
    _LOCKED: (
        Reason.REPOSITORY_LOCKED,
        "another Job is at work, or one was killed: the next run tries again",
        False,
    ),
    12: (
        Reason.WRONG_PASSWORD,
        "give the password that the repository was made with; without it nothing can be read",
        True,
    ),
}
_WHY_BY_WORDS: tuple[tuple[str, Reason, str, bool], ...] = (
    ("no space left on device", Reason.REPOSITORY_FULL, "make its volume larger", False),
    ("quota exceeded", Reason.REPOSITORY_FULL, "make its volume larger", False),
    ("already contains keys", Reason.REPOSITORY_UNFINISHED, "empty its place first", True),
    ("already contains snapshots", Reason.REPOSITORY_UNFINISHED, "restore its config file", True),
    ("access denied", Reason.REPOSITORY_REFUSED, "let the access key write there", True),
    ("accessdenied", Reason.REPOSITORY_REFUSED, "let the access key write there", True),
    ("access key id", Reason.REPOSITORY_REFUSED, "check the access key", True),
    ("signature", Reason.REPOSITORY_REFUSED, "check the secret key", True),
    ("permission denied", Reason.REPOSITORY_REFUSED, "let this pod's user write there", True),
)


def _check(finished: Finished) -> None:
    """Raise BackupError when restic failed."""
    if finished.code:
        raise explain_failure(finished)


def explain_failure(finished: Finished) -> BackupError:
    """Give the reason and the mend of restic's failure, from its exit code and its last words."""
    words = last_words(finished)
    problem = f"restic ended with {finished.code}: {words}"
    if finished.code in _WHY:
        reason, mend, permanent = _WHY[finished.code]
        return BackupError(reason, problem, mend, permanent)
    for sign, reason, mend, permanent in _WHY_BY_WORDS:
        if sign in words.lower():
            return BackupError(reason, problem, mend, permanent)
    mend = "look whether the repository can be reached; the next run tries again"
    return BackupError(Reason.REPOSITORY_FAILED, problem, mend)
