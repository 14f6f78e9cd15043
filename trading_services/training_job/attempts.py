"""Starts of the program within one run: each has a number, and only the newest one may write.

The claim is a file that only one program can make, so that it holds on any shared volume without a
clock: a pod that its node lost may still run when its successor has begun.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from trading_services.training_job.errors import FencedError

_FOLDER = "attempts"
_STEP_WIDTH = 12
_MOST_TOLD = 10


@dataclass(frozen=True)
class AttemptFacts:
    """What is told of an attempt."""

    number: int
    resumed_from_step: int = 0
    lost_steps: int = 0


class Attempt:
    """This start of the program; `note_step` remembers how far it is."""

    def __init__(self, folder: Path, number: int) -> None:
        """Open the step journal of a claimed attempt."""
        self.number = number
        self._folder = folder / _FOLDER
        flags = os.O_WRONLY | os.O_CREAT
        self._journal = os.open(self._folder / f"step-{number}", flags, 0o644)

    def check(self) -> None:
        """Raise FencedError when a later attempt has begun."""
        run = self._folder.parent
        if any(number > int(run.name) for number in find_runs(run)):
            raise FencedError(f"another run has begun: attempt {self.number} ends")
        newest = max(_numbers(self._folder), default=0)
        if newest > self.number:
            raise FencedError(f"attempt {newest} has begun: attempt {self.number} ends")
        if newest < self.number:
            raise FencedError(f"the run is over: attempt {self.number} ends")

    def note_step(self, step: int) -> None:
        """Remember the last finished step; it costs no flush, for only a crash of the node loses
        it, and then only in the count of lost steps.
        """
        os.pwrite(self._journal, f"{step:>{_STEP_WIDTH}}".encode(), 0)

    def note_start(self, resumed_from: int) -> None:
        """Write down from where it goes on, and what the attempt before has lost by that."""
        facts = AttemptFacts(self.number, resumed_from, max(self._reached() - resumed_from, 0))
        path = self._folder / f"facts-{self.number}"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(facts)))
        partial.replace(path)

    def _reached(self) -> int:
        """Return how far the newest attempt was that began: some are killed before they do."""
        for number in range(self.number - 1, 0, -1):
            reached = _read_step(self._folder / f"step-{number}")
            if reached is not None:
                return reached
        return 0

    def told(self) -> list[AttemptFacts]:
        """Return the facts of all attempts so far, oldest first."""
        found = (_read_facts(self._folder, number) for number in _numbers(self._folder))
        return [each for each in found if each is not None]

    def close(self) -> None:
        """Close the journal."""
        os.close(self._journal)


def claim_attempt(folder: Path) -> Attempt:
    """Claim the next number; of two programs that start at once each gets its own."""
    attempts = folder / _FOLDER
    attempts.mkdir(parents=True, exist_ok=True)
    number = max(_numbers(attempts), default=0) + 1
    while True:
        try:
            claim = os.open(attempts / f"claim-{number}", os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            number += 1
            continue
        os.close(claim)
        return Attempt(folder, number)


def find_runs(folder: Path) -> dict[int, Path]:
    """Return the folders of all runs, this one too, by number; none where it has no number."""
    if not folder.name.isdecimal():
        return {}
    return {int(path.name): path for path in folder.parent.glob("*") if path.name.isdecimal()}


def describe_attempts(told: list[AttemptFacts]) -> list[dict[str, int]]:
    """Return the newest attempts as the operator reads them."""
    return [
        {
            "number": each.number,
            "resumedFromStep": each.resumed_from_step,
            "lostSteps": each.lost_steps,
        }
        for each in told[-_MOST_TOLD:]
    ]


def _numbers(folder: Path) -> list[int]:
    names = (path.name.removeprefix("claim-") for path in folder.glob("claim-*"))
    return sorted(int(name) for name in names if name.isdecimal())


def _read_step(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _read_facts(folder: Path, number: int) -> AttemptFacts | None:
    try:
        return AttemptFacts(**json.loads((folder / f"facts-{number}").read_text()))
    except (OSError, ValueError, TypeError):
        return None
