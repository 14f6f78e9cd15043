"""One turn of the retraining loop, over whatever workshop does the work."""

from dataclasses import dataclass
from typing import Protocol

from trading_services.continuous_learning.policy import (
    Due,
    LearningRules,
    Verdict,
    plan_drift_check,
    plan_retraining,
)


class Workshop(Protocol):
    """What the loop needs of a trainer with data and a registry; bars count per symbol."""

    def read_known_bars(self) -> int:
        """Return how many bars every symbol has with all its features."""

    def read_missing_champion(self) -> Due | None:
        """Return the first training that must come before anything else, None if none must."""

    def read_attempted_bars(self) -> int:
        """Return the bars of the newest training, whatever became of it."""

    def read_drift(self, bars: int) -> float:
        """Return how far the bars from the newest training to `bars` moved from those before."""

    def train_first(self, due: Due) -> None:
        """Train and register the first champion."""

    def train_challenger(self, due: Due) -> Verdict:
        """Train a challenger, register it, and promote it if it is better."""


@dataclass(frozen=True)
class Outcome:
    """What a turn did: `waiting_for` says how many bars the first training still needs."""

    trained: Due | None = None
    verdict: Verdict | None = None
    waiting_for: int = 0


def run_learning_cycle(workshop: Workshop, rules: LearningRules) -> Outcome:
    """Train the first champion, or a challenger when one is due, or nothing."""
    known = workshop.read_known_bars()
    first = workshop.read_missing_champion()
    if first is not None:
        if known < first.bars:
            return Outcome(waiting_for=first.bars - known)
        workshop.train_first(first)
        return Outcome(trained=first)
    due = _plan(workshop, known, rules)
    if due is None:
        return Outcome()
    return Outcome(trained=due, verdict=workshop.train_challenger(due))


def _plan(workshop: Workshop, known: int, rules: LearningRules) -> Due | None:
    attempted = workshop.read_attempted_bars()
    without_drift = plan_retraining(attempted, known, None, rules)
    checked = plan_drift_check(attempted, known, rules) if rules.enabled else None
    if without_drift is not None or checked is None:
        return without_drift
    return plan_retraining(attempted, known, workshop.read_drift(checked), rules)
