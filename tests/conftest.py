"""What failed, if only at first, is said at the end of a tier, which is what is kept of a log."""

import os
from pathlib import Path

import pytest

_LINES = 3  # of a failure's own words


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a failure to the file that the environment names, at once: a crash may come later."""
    path = os.environ.get("FAILURES")
    told = report.outcome in ("failed", "rerun")
    if told and path and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(_describe(report))


def _describe(report: pytest.TestReport) -> str:
    lines = report.longreprtext.splitlines()
    said = [line for line in lines if line.startswith("E ")][:_LINES] or lines[-_LINES:]
    return "\n".join([f"{report.outcome}: {report.nodeid} ({report.when})", *said])[:600] + "\n"
