"""Checkpoints: written whole or not at all, and read back only if every byte is what it was."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from trading_services.contract.logs import get_logger
from trading_services.training_job.attempts import Attempt
from trading_services.training_job.errors import FencedError

MANIFEST = "manifest.json"
_PREFIX = "checkpoint-"
_PARTIAL = ".partial-"

_log = get_logger(__name__)

State = TypeVar("State")


@dataclass(frozen=True)
class Saved:
    """A checkpoint: its step, when and by which attempt it was written, its manifest's digest."""

    step: int
    at: str
    attempt: int
    sha256: str
    path: Path

    def as_dict(self) -> dict[str, Any]:
        """Return it as the operator reads it."""
        return {"step": self.step, "at": self.at, "attempt": self.attempt, "sha256": self.sha256}


class CheckpointStore:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, attempt: Attempt, keep: int) -> None:
        """Write as `attempt`, and keep so many."""
        self._folder = folder
        self._attempt = attempt
        self._keep = keep

    def write(self, step: int, files: dict[str, bytes]) -> Saved:
        """Publish a checkpoint; raises FencedError when a later attempt has begun."""
        self._attempt.check()
        name = f"{_PREFIX}{step}-{self._attempt.number}"
        partial, path = self._folder / f"{_PARTIAL}{name}", self._folder / name
        try:
            saved = self._fill(partial, path, step, files)
            self._attempt.check()
            shutil.rmtree(path, ignore_errors=True)
            partial.rename(path)
            _flush_folder(self._folder)
        except (FencedError, FileNotFoundError):
            shutil.rmtree(partial, ignore_errors=True)
            # Whoever ended the run has removed its folder.
            self._attempt.check()
            raise
        self._forget_old(step, path)
        return saved

    def _fill(self, partial: Path, path: Path, step: int, files: dict[str, bytes]) -> Saved:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for file, content in files.items():
            _write(partial / file, content)
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        manifest = {
            "step": step,
            "at": at,
            "attempt": self._attempt.number,
            "files": {file: _digest(content) for file, content in sorted(files.items())},
        }
        text = json.dumps(manifest, indent=2, sort_keys=True).encode()
        # The manifest is last: a folder without it is no checkpoint.
        _write(partial / MANIFEST, text)
        _flush_folder(partial)
        return Saved(step, at, self._attempt.number, _digest(text), path)

    def read_newest(
        self, read: Callable[[dict[str, bytes]], State | None]
    ) -> tuple[Saved, State] | None:
        """Return the newest checkpoint that is whole and that `read` takes.

        Damaged ones, and those of another training, are told and left out.
        """
        for _, path in self._by_step():
            found = _read(path)
            if found is None:
                _log.warning("checkpoint is damaged and left out", checkpoint=path.name)
                continue
            state = read(found[1])
            if state is not None:
                return found[0], state
            _log.warning(
                "checkpoint is of other data, code or settings, and left out", checkpoint=path.name
            )
        return None

    def _by_step(self) -> list[tuple[tuple[int, int], Path]]:
        """Return the checkpoints with their steps and attempts, furthest first."""
        paths = self._folder.glob(f"{_PREFIX}*-*")
        found = [(place, path) for path in paths if (place := _place(path)) is not None]
        return sorted(found, reverse=True)

    def _forget_old(self, step: int, newest: Path) -> None:
        """Keep the newest ones, and all that is of a later attempt: it may be paused here."""
        own = self._attempt.number
        others = [
            (reached, path)
            for (reached, attempt), path in self._by_step()
            if path != newest and attempt <= own
        ]
        # What is further was not gone on from: it is damaged, or of another training.
        further = [path for reached, path in others if reached > step]
        former = [path for reached, path in others if reached <= step]
        for path in [*further, *former[self._keep - 1 :]]:
            shutil.rmtree(path, ignore_errors=True)
        for leftover in self._folder.glob(f"{_PARTIAL}{_PREFIX}*"):
            place = _place(Path(leftover.name.removeprefix(_PARTIAL)))
            if place is None or place[1] <= own:
                shutil.rmtree(leftover, ignore_errors=True)


def _place(path: Path) -> tuple[int, int] | None:
    step, _, attempt = path.name.removeprefix(_PREFIX).partition("-")
    return (int(step), int(attempt)) if step.isdecimal() and attempt.isdecimal() else None


def _read(path: Path) -> tuple[Saved, dict[str, bytes]] | None:
    try:
        text = (path / MANIFEST).read_bytes()
        manifest = json.loads(text)
        files = {name: (path / name).read_bytes() for name in manifest["files"]}
        if any(_digest(files[name]) != told for name, told in manifest["files"].items()):
            return None
        saved = Saved(
            int(manifest["step"]), manifest["at"], int(manifest["attempt"]), _digest(text), path
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return saved, files


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
