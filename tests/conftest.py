"""What failed, if only at first, is said at the end of a tier, which is what is kept of a log."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_LINES = 3  # of a failure's own words


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add the failures of this run to the file that the environment names."""
    path = os.environ.get("FAILURES")
    if path and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(_failures(terminalreporter))


def _failures(reporter: pytest.TerminalReporter) -> Iterator[str]:
    for outcome in ("failed", "error", "rerun"):
        for report in reporter.stats.get(outcome, []):
            lines = report.longreprtext.splitlines()
            said = [line for line in lines if line.startswith("E ")][:_LINES] or lines[-_LINES:]
            yield "\n".join([f"{outcome}: {report.nodeid} ({report.when})", *said])[:600] + "\n"
