"""What one run measures, and how often."""

from dataclasses import dataclass

from bench.errors import BenchError


@dataclass(frozen=True)
class Parameters:
    """The size of a run; the defaults take ten minutes."""

    repetitions: int = 8  # of a training beside a bare Job
    rollbacks: int = 3
    rounds: int = 1500  # of the training whose checkpoints are counted
    checkpoint_seconds: int = 10  # between them

    def check(self) -> None:
        """Raise BenchError for a size that says nothing."""
        if min(self.repetitions, self.rollbacks, self.rounds, self.checkpoint_seconds) < 1:
            raise BenchError("every parameter must be at least 1")
