"""What came of the cases, and the report of a run."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mutation.cases import Case
from mutation.changes import Spec, differences
from mutation.schema import Node, leaves

_SHOWN = 20
_LOG_LINES = 6


@dataclass(frozen=True)
class Failure:
    """What is wrong, with all that is needed to see and repeat it."""

    case: Case
    problem: str
    system: str = ""
    status: str = ""
    log: tuple[str, ...] = ()
    earlier: tuple[int, ...] = ()  # the cases that the same system went through before


@dataclass
class Results:
    """The endings of all cases of a run."""

    seed: int
    bases: Mapping[str, Spec]
    endings: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    reached: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: list[float] = field(default_factory=list)  # until it was told how each ended

    def end(self, case: Case, ending: str, seconds: float | None = None) -> None:
        """Note how a case ended: Refused, Ready, Stalled, ..."""
        self.endings[ending] += 1
        if seconds is not None:
            self.seconds.append(seconds)
        wanted = "Refused" if case.kind == "invalid" else "accepted"
        got = "Refused" if ending == "Refused" else "accepted"
        if case.kind in ("invalid", "valid") and wanted == got:
            self.reached[case.kind].add(case.about)

    def share(self, kind: str, schema: Node) -> float:
        """Return which share of the leaves a kind of cases reached."""
        every = leaves(schema)
        return len(self.reached[kind] & every.keys()) / len(every)

    def missed(self, kind: str, schema: Node) -> list[str]:
        """Return the leaves that a kind of cases did not reach."""
        return sorted(leaves(schema).keys() - self.reached[kind])

    def summary(self, schema: Node, seconds: float) -> str:
        """Describe the run in a few lines."""
        told = sorted(self.seconds) or [0.0]
        endings = ", ".join(f"{name} {count}" for name, count in sorted(self.endings.items()))
        lines = [
            f"seed {self.seed}: {self.endings.total()} cases in {seconds:.0f} s: {endings}",
            f"told how it ended after: median {told[len(told) // 2]:.1f} s, "
            f"99% {told[int(len(told) * 0.99)]:.1f} s, longest {told[-1]:.1f} s",
        ]
        for kind, verb in (("invalid", "refused"), ("valid", "accepted and judged")):
            reached, every = self.reached[kind], leaves(schema)
            missed = ", ".join(self.missed(kind, schema)[:_SHOWN])
            lines.append(
                f"leaves set to {kind} values and {verb}: {len(reached)}/{len(every)}"
                + (f"; not: {missed}" if missed else "")
            )
        return "\n".join(lines)

    def describe(self, failures: Iterable[Failure]) -> str:
        """Describe failures, each with the command that repeats it."""
        return "\n\n".join(self._describe(failure) for failure in failures)

    def _describe(self, failure: Failure) -> str:
        case = failure.case
        before = {} if case.is_new else self.bases[case.base]
        changed = list(differences(before, case.spec))
        lines = [
            f"case {case.index} ({case.kind}: {case.about}; base {case.base}): {failure.problem}",
            *(f"  changed {each}" for each in changed[:_SHOWN]),
            f"  system {failure.system}: {failure.status}",
            *(f"  log {line}" for line in failure.log[:_LOG_LINES]),
            f"  repeat: make test-mutation SEED={self.seed} CASES={case.index}",
        ]
        if failure.earlier:
            earlier = ",".join(map(str, (*failure.earlier, case.index)))
            lines.append(
                f"  with all that went before: make test-mutation SEED={self.seed} CASES={earlier}"
            )
        return "\n".join(lines)
