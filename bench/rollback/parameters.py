"""What one run measures, and how often."""

from dataclasses import dataclass

from bench.errors import BenchError
from bench.rollback.failures import BY_KIND, FAILURES, Failure


@dataclass(frozen=True)
class Parameters:
    """The size of a run; the defaults take an hour, most of it Helm's time-outs."""

    runs: int = 5  # of each failure kind, on the real node
    kinds: str = ",".join(BY_KIND)
    bake_seconds: int = 15
    helm_runs: int = 5
    helm_timeout_seconds: int = 60
    idle_samples: int = 40  # on fake nodes, one after another
    storm_samples: int = 200  # on fake nodes, while the others change; 0 leaves this part out
    storm_systems: int = 200  # the others

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Return the failures that are measured, in the order of measuring."""
        return tuple(each for each in FAILURES if each.kind in self.kinds.split(","))

    def check(self) -> None:
        """Raise BenchError for a size that says nothing."""
        unknown = set(self.kinds.split(",")) - BY_KIND.keys()
        if unknown:
            known = ", ".join(BY_KIND)
            raise BenchError(f"--kinds names {', '.join(sorted(unknown))}; there are {known}")
        if self.runs < 0 or self.helm_runs < 0 or self.storm_samples < 0:
            raise BenchError("--runs, --helm-runs and --storm-samples must be at least 0")
        if self.storm_systems < 1:
            raise BenchError("--storm-systems must be at least 1")
        if self.bake_seconds < 1 or self.helm_timeout_seconds < 1:
            raise BenchError("--bake-seconds and --helm-timeout-seconds must be at least 1")
