"""How often each object was written, as the API server's audit log has it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# A status is written as often as there is something new, and an Event may be posted twice.
_TOLD_TIMES, _TOLD_MORE = 2, 6
# Attempts that the API server itself refuses; more of them are a hot loop.
REFUSED_MOST = 25
_HASHED = re.compile(r"^(events)/.*$")
Counts = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Written:
    """What an operator wrote in a scenario: verb and object, how often it was carried out."""

    done: Counts
    refused: int

    def of(self, verb: str) -> dict[str, int]:
        """Return how often each object was written by a verb."""
        return {what: count for (each, what), count in self.done.items() if each == verb}


def read_written(lines: Iterable[str]) -> Written:
    """Count lines `verb resource/name code` of the audit log."""
    done, refused = Counts(), 0
    for line in lines:
        verb, what, code = line.split(" ")
        if code.isdigit() and int(code) < 300:
            done[verb, _HASHED.sub(r"\1", what)] += 1
        else:
            refused += 1
    return Written(done, refused)


def compare_counts(expected: Written, found: Written, struck: str) -> list[str]:
    """Return what was written more often than the undisturbed run and the fault explain.

    `struck` is the object at whose write the fault struck: that one may be changed once more, or
    its deletion said again, which names its uid and so ends nothing else.
    """
    wrong = []
    for verb, what in sorted(found.done.keys() | expected.done.keys()):
        count, usual = found.done[verb, what], expected.done[verb, what]
        least = usual if verb == "create" and what != "events" else 0
        if not least <= count <= _most(verb, what, usual, struck):
            wrong.append(f"{verb} {what}: {count} times, undisturbed {usual}")
    if found.refused > expected.refused + REFUSED_MOST:
        wrong.append(f"{found.refused} writes were refused, undisturbed {expected.refused}")
    return wrong


def _most(verb: str, what: str, usual: int, struck: str) -> int:
    if what == "events" or what.endswith("/status"):
        return usual * _TOLD_TIMES + _TOLD_MORE
    if verb in {"patch", "delete"} and what == struck:
        return usual + 1
    return usual
