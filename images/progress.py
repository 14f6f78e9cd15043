"""Long steps that say what they do, how long they have been at it, and why they failed."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STILL_THERE_SECONDS = 15.0
TAIL_LINES = 30


class StepError(Exception):
    """A command of a step failed; the message holds the end of its log."""


@dataclass(frozen=True)
class Log:
    """The file that everything printed by one step's commands goes to."""

    path: Path

    def run(self, command: Sequence[str]) -> None:
        """Run a command to its end; raise StepError with the log's tail when it fails."""
        with self.path.open("a") as file:
            file.write(f"$ {' '.join(command)}\n")
            file.flush()
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # The cache's lock goes with the command.
                close_fds=False,
                check=False,
            )
        if done.returncode:
            raise StepError(self._failure(command, done.returncode))

    def _failure(self, command: Sequence[str], code: int) -> str:
        tail = self.path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        lines = "\n".join(f"    {line}" for line in tail)
        return f"{command[0]} ended with {code}; the whole log is {self.path}. Its end:\n{lines}"


def say(line: str) -> None:
    """Tell the person something; standard output is kept for results."""
    print(line, file=sys.stderr, flush=True)


def open_log(path: Path) -> Log:
    """Begin an empty log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return Log(path)


def _report(label: str, started: float, done: threading.Event) -> None:
    while not done.wait(STILL_THERE_SECONDS):
        say(f"{label} ... {time.monotonic() - started:.0f} s")


@contextlib.contextmanager
def step(label: str, what: str) -> Iterator[list[str]]:
    """Announce a step and its end; what is put into the list is added to the last line."""
    say(f"{label} {what} ...")
    started, done, notes = time.monotonic(), threading.Event(), list[str]()
    reporter = threading.Thread(target=_report, args=(label, started, done), daemon=True)
    reporter.start()
    try:
        yield notes
    finally:
        done.set()
        reporter.join()
    note = f" ({', '.join(notes)})" if notes else ""
    say(f"{label} done in {time.monotonic() - started:.0f} s{note}")
