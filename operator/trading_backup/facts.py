"""Facts of the source beside facts of what was restored."""

from dataclasses import dataclass

from trading_backup.manifest import Facts

_LONGEST = 128
MISSING = "nothing"


@dataclass(frozen=True)
class Compared:
    """One fact of a target: what it was, and what it is."""

    target: str
    fact: str
    expected: str
    found: str

    @property
    def equal(self) -> bool:
        """Whether the restored data have what was there."""
        return self.expected == self.found

    def describe(self) -> dict[str, object]:
        """Return it as the answer has it."""
        return {
            "target": self.target,
            "fact": self.fact[:_LONGEST],
            "expected": self.expected[:_LONGEST],
            "found": self.found[:_LONGEST],
            "equal": self.equal,
        }


def compare_facts(target: str, expected: Facts, found: Facts) -> list[Compared]:
    """Compare every fact of the source; what only the restored data have is no difference."""
    return [
        Compared(
            target,
            f"{measure} of {item}",
            str(value),
            str(found.get(item, {}).get(measure, MISSING)),
        )
        for item, measures in expected.items()
        for measure, value in measures.items()
    ]
