"""When a model is renewed, and when a challenger is better: both pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# Whether a larger value of the metric is the better one.
LARGER_IS_BETTER = {"logloss": False, "auc": True, "hit_rate": True, "sharpe": True}


class LearningRules(BaseModel):
    """When to retrain and what a challenger must beat the champion in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    retrain_every_bars: Annotated[int, Field(ge=10, le=1_000_000)] = 400
    check_drift_every_bars: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    drift_threshold: Annotated[float, Field(gt=0)] = 0.75
    holdout_bars: Annotated[int, Field(ge=5, le=100_000)] = 80
    metric: Literal["logloss", "auc", "hit_rate", "sharpe"] = "logloss"
    min_improvement: Annotated[float, Field(ge=0)] = 0.0


@dataclass(frozen=True)
class Due:
    """A retraining that is due: on the first `bars` bars of every symbol, and why."""

    bars: int
    reason: str


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger replaces the champion, with the values that decided it."""

    promoted: bool
    metric: str
    champion: float
    challenger: float


def plan_retraining(
    trained_bars: int, known_bars: int, drift: float | None, rules: LearningRules
) -> Due | None:
    """Return the retraining that is due, on a number of bars that depends on the data alone.

    `drift` is how far the bars since `trained_bars` are from those before, None if not measured.
    """
    if not rules.enabled:
        return None
    rounds = (known_bars - trained_bars) // rules.retrain_every_bars
    if rounds > 0:
        return Due(trained_bars + rounds * rules.retrain_every_bars, "NewBars")
    checked = plan_drift_check(trained_bars, known_bars, rules)
    if checked is not None and drift is not None and drift > rules.drift_threshold:
        return Due(checked, "Drift")
    return None


def plan_drift_check(trained_bars: int, known_bars: int, rules: LearningRules) -> int | None:
    """Return the number of bars at which drift is to be measured now, None if too few are new."""
    steps = (known_bars - trained_bars) // rules.check_drift_every_bars
    bars = steps * rules.check_drift_every_bars
    # The challenger is judged on bars that neither model was trained on.
    return trained_bars + bars if bars > rules.holdout_bars else None


def build_verdict(
    champion: Mapping[str, float], challenger: Mapping[str, float], rules: LearningRules
) -> Verdict:
    """Compare both on the same bars; the challenger must be better by `min_improvement`."""
    old, new = champion[rules.metric], challenger[rules.metric]
    gain = new - old if LARGER_IS_BETTER[rules.metric] else old - new
    return Verdict(gain > rules.min_improvement, rules.metric, old, new)
