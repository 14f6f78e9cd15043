"""What one run of the bench measures, and how often."""

from dataclasses import dataclass

from bench.errors import BenchError


@dataclass(frozen=True)
class Parameters:
    """The size of a run; the defaults take about half an hour on two cores."""

    systems: int = 200
    namespaces: int = 8
    repetitions: int = 5
    settle_seconds: float = 15.0  # between the backlog and the look at the memory
    idle_seconds: float = 10.0  # after the restart, in which nothing is to be written
    latency_samples: int = 10
    helm_systems: int = 40  # the rest is extrapolated
    helm_repetitions: int = 2  # it is the slowest by far, and far from every goal

    def namespace(self, index: int) -> str:
        """Return the namespace of a system by its number."""
        return f"bench-{index % self.namespaces}"

    def check(self) -> None:
        """Raise BenchError for a size that says nothing."""
        for name in ("systems", "namespaces", "repetitions", "latency_samples", "helm_systems"):
            if getattr(self, name) < 1:
                raise BenchError(f"--{name.replace('_', '-')} must be at least 1")
