"""Checks that betray knowledge of the future, judged from what their stages scored.

LabelShuffle: on labels in random order no model can know anything. The mean AUC over the folds may
differ from 0.5 by four standard errors of a random ranking,
sqrt((P + N + 1) / (12 P N)) a fold of P rises and N falls, times sqrt(S) for S symbols that move
together, plus 0.02.

FutureShift: features that are known a horizon later cost an honest model little of its skill
(AUC - 0.5), because markets change slowly; a feature that holds the label loses all of it. At most
0.1 may be lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from trading_services.training_job.stages import StageKind

MOST_LOST_SKILL = 0.1
_STANDARD_ERRORS = 4.0
_TOLERANCE = 0.02
Results = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class CheckResult:
    """What a check found."""

    check: str
    passed: bool
    value: float
    bound: float
    message: str


def judge_leakage(results: Results, checks: Sequence[str], symbols: int) -> list[CheckResult]:
    """Return what the checks found in the results of all stages."""
    judges = {
        StageKind.LABEL_SHUFFLE.value: lambda: _judge_shuffle(results, symbols),
        StageKind.FUTURE_SHIFT.value: lambda: _judge_shift(results),
    }
    return [judges[check]() for check in checks if check in judges]


def _judge_shuffle(results: Results, symbols: int) -> CheckResult:
    folds = _of_kind(results, StageKind.LABEL_SHUFFLE)
    mean = sum(fold["auc"] for fold in folds) / len(folds)
    variance = sum(_variance(fold) for fold in folds) / len(folds) ** 2
    bound = _STANDARD_ERRORS * sqrt(variance * symbols) + _TOLERANCE
    value = abs(mean - 0.5)
    passed = value <= bound
    message = (
        ""
        if passed
        else (
            f"trained on shuffled labels it still knows something (AUC {mean:.3f}): samples of "
            "training and test overlap"
        )
    )
    return CheckResult(StageKind.LABEL_SHUFFLE.value, passed, value, bound, message)


def _variance(fold: Mapping[str, float]) -> float:
    positives, negatives = max(fold["positives"], 1.0), max(fold["negatives"], 1.0)
    return (positives + negatives + 1) / (12 * positives * negatives)


def _judge_shift(results: Results) -> CheckResult:
    real = _mean([fold["oosAuc"] for fold in _of_kind(results, StageKind.FOLD)])
    delayed = _mean([fold["auc"] for fold in _of_kind(results, StageKind.FUTURE_SHIFT)])
    lost = max(real - 0.5, 0.0) - max(delayed - 0.5, 0.0)
    passed = lost <= MOST_LOST_SKILL
    told = (
        f"its skill (AUC {real:.3f}) vanishes when the features are delayed (AUC {delayed:.3f}): "
        "a feature knows what comes"
    )
    message = "" if passed else told
    return CheckResult(StageKind.FUTURE_SHIFT.value, passed, lost, MOST_LOST_SKILL, message)


def _of_kind(results: Results, kind: StageKind) -> list[Mapping[str, float]]:
    return [found for name, found in results.items() if name.startswith(f"{kind.value}-")]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
