"""What one run measures, and on how much data."""

from dataclasses import dataclass

from bench.errors import BenchError


@dataclass(frozen=True)
class Parameters:
    """The size of a run; the defaults take a quarter of an hour."""

    rows: int = 3_000_000  # of bars, some 110 bytes each
    repetitions: int = 3
    increments: int = 3  # a repetition
    changed_rows: int = 30_000  # before each increment: an hour of a busy day
    probe_seconds: int = 15  # of queries on a server that nobody backs up

    def check(self) -> None:
        """Raise BenchError for a size that says nothing."""
        if min(self.rows, self.repetitions, self.probe_seconds) < 1:
            raise BenchError("--rows, --repetitions and --probe-seconds must be at least 1")
        if min(self.increments, self.changed_rows) < 0:
            raise BenchError("--increments and --changed-rows must be at least 0")
