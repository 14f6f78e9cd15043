"""Child programs: run, piped into each other, and ended together."""

import fcntl
import hashlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from trading_backup.errors import BackupError
from trading_backup.reasons import Reason
from trading_backup.stopping import Child, Stop, signal_group

_MEGABYTE = 1 << 20
# How long a program may take over its end: restic takes its lock away, redis-cli is at once gone.
_GRACE_SECONDS = 15.0
# After that long a reader that was told to stop is given the end of its input, to wake it.
_WAKE_SECONDS = 1.0
_LAST_WORDS = 4096
# What children inherit; everything else they are given by name.
_INHERITED = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Command:
    """A program with its arguments, and what its environment adds; secrets go there alone."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The program's name."""
        return Path(self.words[0]).name


@dataclass(frozen=True)
class Finished:
    """A program that ended: its exit code, what it printed, and its last words."""

    name: str
    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Moved:
    """What went through a pipe, and the program that broke it."""

    bytes: int
    sha256: str
    output: str = ""
    broken_by: Finished | None = None


Tell = Callable[[int], None]


@dataclass(frozen=True)
class _Running:
    command: Command
    child: Child
    errors: IO[bytes]

    def finished(self, output: bytes = b"") -> Finished:
        code = self.child.wait()  # first: it writes where this seeks
        self.errors.seek(max(self.errors.seek(0, os.SEEK_END) - _LAST_WORDS, 0))
        words = self.errors.read().decode(errors="replace")
        text = output.decode(errors="replace")
        return Finished(self.command.name, code, text, words.strip())


class Programs:
    """Runs child programs, each in a process group of its own, so that SIGTERM ends them all."""

    def __init__(self, stop: Stop, scratch: Path) -> None:
        """Keep programs' temporary files in `scratch`."""
        self._stop = stop
        self._scratch = scratch

    def run(
        self, command: Command, given: bytes | None = None, seconds: float | None = None
    ) -> Finished:
        """Run a program to its end; `given` is its whole input.

        One that needs more than `seconds` is ended, with what it said until then.
        """
        with self._started(command, subprocess.PIPE, subprocess.PIPE) as running:
            try:
                output, _ = running.child.communicate(given, seconds)
            except subprocess.TimeoutExpired:
                _end(running.child)
                output = b""
            finished = running.finished(output)
        self._stop.check()
        return finished

    def run_lines(self, command: Command, tell: Callable[[str], None]) -> Finished:
        """Run a program to its end and tell every line when it is printed."""
        with self._started(command, subprocess.DEVNULL, subprocess.PIPE) as running:
            last: deque[bytes] = deque(maxlen=10)
            assert running.child.stdout is not None
            with open(running.child.stdout.fileno(), "rb", closefd=False) as lines:
                for line in lines:
                    tell(line.decode(errors="replace"))
                    last.append(line)
            finished = running.finished(b"".join(last))
        self._stop.check()
        return finished

    @contextmanager
    def serving(self, command: Command) -> Iterator[None]:
        """Keep a program running for the time of the block."""
        with self._started(command, subprocess.DEVNULL, subprocess.DEVNULL):
            yield

    def read(self, source: Command, tell: Tell) -> Moved:
        """Read all that a program prints and keep only its size and digest."""
        with self._started(source, subprocess.DEVNULL, subprocess.PIPE) as reading:
            digest = _Digest(tell)
            assert reading.child.stdout is not None
            _pump(reading.child.stdout, digest, None)
            ended = reading.finished()
        self._stop.check()
        return digest.moved("", ended if ended.code else None)

    def pipe(self, source: Command, sink: Command, tell: Tell) -> Moved:
        """Pipe one program into another, which sees an end only after the first one went well.

        So a source that dies never makes a sink believe that its input was complete.
        """
        with TemporaryFile(dir=self._scratch) as printed:
            with (
                self._started(sink, subprocess.PIPE, printed) as writing,
                self._started(source, subprocess.DEVNULL, subprocess.PIPE) as reading,
            ):
                moved = _move(reading, writing, tell)
            printed.seek(0)
            output = printed.read().decode(errors="replace")
        self._stop.check()
        return Moved(moved.bytes, moved.sha256, output, moved.broken_by)

    @contextmanager
    def _started(
        self, command: Command, given: int, printed: int | IO[bytes]
    ) -> Iterator[_Running]:
        self._stop.check()
        with TemporaryFile(dir=self._scratch) as errors:
            child = self._start(command, given, printed, errors)
            try:
                self._stop.watch(child)
                yield _Running(command, child, errors)
            finally:
                _end(child)
                self._stop.forget(child)

    def _start(
        self, command: Command, given: int, printed: int | IO[bytes], errors: IO[bytes]
    ) -> Child:
        try:
            return subprocess.Popen(
                command.words,
                bufsize=0,
                stdin=given,
                stdout=printed,
                stderr=errors,
                env=self._environment() | dict(command.environment),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise BackupError(
                Reason.INTERNAL_ERROR,
                f"the program {command.name} is missing",
                "run the trading-backup image",
                permanent=True,
            ) from None

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        own = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "TMPDIR": str(self._scratch)}
        return inherited | own | {"HOME": str(self._scratch)}


class _Digest:
    """Counts and digests what passes."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._bytes = 0
        self._sha256 = hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        self._sha256.update(chunk)
        self._tell(self._bytes)

    def moved(self, output: str, broken_by: Finished | None) -> Moved:
        return Moved(self._bytes, self._sha256.hexdigest(), output, broken_by)


def _move(reading: _Running, writing: _Running, tell: Tell) -> Moved:
    digest = _Digest(tell)
    assert reading.child.stdout is not None
    assert writing.child.stdin is not None
    if not _pump(reading.child.stdout, digest, writing.child.stdin):
        # The source may well have gone on: the sink is to blame.
        return digest.moved("", writing.finished())
    source = reading.finished()
    if source.code:
        return digest.moved("", source)
    writing.child.stdin.close()
    sink = writing.finished()
    return digest.moved("", sink if sink.code else None)


def _pump(source: IO[bytes], digest: _Digest, sink: IO[bytes] | None) -> bool:
    """Move all of a pipe's content; False when the sink has gone before its end."""
    with suppress(OSError):  # a wider pipe is only faster, and may be refused
        fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, _MEGABYTE)
    while chunk := source.read(_MEGABYTE):
        digest.add(chunk)
        rest = memoryview(chunk)
        while sink is not None and rest:
            try:
                rest = rest[sink.write(rest) :]
            except BrokenPipeError:
                return False
    return True


def _end(child: Child) -> None:
    """End a program that still runs: asked first, then its input ended, then killed."""
    signal_group(child, signal.SIGTERM)
    if not _wait(child, _WAKE_SECONDS):
        _close(child.stdin)
        if not _wait(child, _GRACE_SECONDS):
            signal_group(child, signal.SIGKILL)
            child.wait()
    _close(child.stdin)
    _close(child.stdout)


def _wait(child: Child, seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with suppress(OSError):
            stream.close()
