"""What came of the points, and the report of a run."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from faults.points import Kind, Point, Scenario, Stream

_SHOWN = 12


@dataclass(frozen=True)
class Failure:
    """What is wrong at a point, with all that is needed to see and repeat it."""

    point: Point
    problems: tuple[str, ...]
    struck: str = ""
    status: str = ""
    writes: tuple[str, ...] = ()


@dataclass
class Results:
    """The outcomes of all points of a run."""

    seed: int
    writes: dict[Scenario, Counter[Stream]] = field(default_factory=dict)  # undisturbed
    passed: Counter[Kind] = field(default_factory=Counter)
    not_reached: list[Point] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    seconds: list[tuple[float, Point]] = field(default_factory=list)
    left: int = 0  # points that the time did not allow
    tell: Callable[[str], None] = lambda _: None

    @property
    def total(self) -> int:
        """Return how many points were tried."""
        return self.passed.total() + len(self.not_reached) + len(self.failures)

    def passes(self, point: Point, seconds: float) -> None:
        """Note that a point passed, so many seconds after its fault."""
        self.passed[point.kind] += 1
        self.seconds.append((seconds, point))
        self.tell(f"{point} passed after {seconds:.1f} s")

    def fails(self, failure: Failure) -> None:
        """Note what is wrong at a point."""
        self.failures.append(failure)
        self.tell(self._describe(failure))

    def summary(self, seconds: float) -> str:
        """Describe the run in a few lines."""
        counted = "; ".join(
            f"{scenario} {_enumerate(counts)}" for scenario, counts in sorted(self.writes.items())
        )
        kinds = _enumerate(self.passed)
        told = [f"seed {self.seed}: {self.total} fault points in {seconds:.0f} s, {self.left} left"]
        told += [f"undisturbed: {counted}", f"passed {self.passed.total()}: {kinds}"]
        if self.not_reached:
            told.append(f"not reached: {', '.join(map(str, self.not_reached[:_SHOWN]))}")
        return "\n".join((*told, self._describe_seconds()))

    def _describe_seconds(self) -> str:
        ordered = sorted(seconds for seconds, _ in self.seconds) or [0.0]
        slowest = max(self.seconds, default=(0.0, None), key=lambda each: each[0])
        return (
            f"from fault to end: median {ordered[len(ordered) // 2]:.1f} s, "
            f"99% {ordered[int(len(ordered) * 0.99)]:.1f} s, longest {slowest[0]:.1f} s "
            f"at {slowest[1]}"
        )

    def describe(self, failures: Iterable[Failure]) -> str:
        """Describe failures, each with the command that repeats it."""
        return "\n\n".join(self._describe(failure) for failure in failures)

    def _describe(self, failure: Failure) -> str:
        lines = [
            f"point {failure.point}, struck {failure.struck or 'nothing'}",
            *(f"  {each}" for each in failure.problems[:_SHOWN]),
            f"  status: {failure.status}",
            f"  writes: {', '.join(failure.writes)}",
            f"  repeat: make faults SEED={self.seed} POINTS={failure.point.number}",
        ]
        return "\n".join(lines)


def _enumerate(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
