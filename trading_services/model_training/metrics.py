"""What a model is judged by, on bars that it was not trained on."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class TradingAssumptions:
    """How scores become positions for the Sharpe ratio, and what a change of position costs."""

    entry_strength: float
    cost_bps: float
    bars_per_year: int


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one test block; `sharpe` is annualised and after costs."""

    samples: int
    auc: float
    logloss: float
    hit_rate: float
    sharpe: float

    def as_dict(self) -> dict[str, float]:
        """Return the metrics by name, ready for JSON."""
        return asdict(self)


def build_evaluation(
    scores: Values,
    returns: Values,
    symbols: npt.NDArray[np.str_],
    assumptions: TradingAssumptions,
) -> Evaluation:
    """Judge probabilities of a rise against the returns that followed (rows in time order)."""
    labels = returns > 0
    return Evaluation(
        samples=len(scores),
        auc=build_auc(scores, labels),
        logloss=build_logloss(scores, labels),
        hit_rate=float(np.mean((scores > 0.5) == labels)),
        sharpe=build_sharpe(scores, returns, symbols, assumptions),
    )


def build_auc(scores: Values, labels: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; 0.5 when only one class is there."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # Equal scores share the mean of the ranks that they cover.
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    wins = float(ranks[labels].sum()) - positives * (positives + 1) / 2.0
    return wins / (positives * negatives)


def build_logloss(scores: Values, labels: npt.NDArray[np.bool_]) -> float:
    """Return the mean negative log-likelihood of the labels."""
    clipped = np.clip(scores, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return float(-np.mean(np.where(labels, np.log(clipped), np.log1p(-clipped))))


def build_sharpe(
    scores: Values,
    returns: Values,
    symbols: npt.NDArray[np.str_],
    assumptions: TradingAssumptions,
) -> float:
    """Return the annualised Sharpe ratio of holding the signal's side, after costs."""
    strengths = 2 * scores - 1
    positions = np.where(np.abs(strengths) >= assumptions.entry_strength, np.sign(strengths), 0.0)
    earned = [
        _build_earnings(positions[symbols == symbol], returns[symbols == symbol], assumptions)
        for symbol in np.unique(symbols)
    ]
    profits = np.concatenate(earned) if earned else np.zeros(0)
    spread = float(profits.std()) if len(profits) else 0.0
    if spread == 0.0:
        return 0.0
    return float(profits.mean() / spread * np.sqrt(assumptions.bars_per_year))


def _build_earnings(positions: Values, returns: Values, rules: TradingAssumptions) -> Values:
    changes = np.abs(np.diff(positions, prepend=0.0))
    return positions * returns - changes * rules.cost_bps / 10_000.0
