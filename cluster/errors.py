"""The one error that the command line prints without a traceback."""

from pathlib import Path

TAIL_LINES = 25


class ClusterError(Exception):
    """Something the person at the keyboard can mend; the text says what and how."""


def read_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, or a note that there is none."""
    if not path.exists():
        return f"(no log at {path})"
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line[:400]}" for line in text[-lines:])


def build_component_error(name: str, problem: str, log: Path) -> ClusterError:
    """Build the error of a failed part: what happened, its last words, where the rest lies."""
    return ClusterError(f"{name} {problem}\n{read_tail(log)}\n  whole log: {log}")
