"""What a version earned since it was selected, from the journaled decisions and the bars after.

As model training judges it (trading_services/model_training/metrics.py), on bars whose outcome is
known: entered at the next open, left at the open after the horizon. It is computed from the
database alone, so that a restart forgets nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from trading_services.database.connection import Database

_SMALLEST_PROBABILITY = 1e-12
_JUDGED = """
WITH scored AS (
    SELECT symbol, bar_time, score FROM signals
    WHERE strategy = %(strategy)s AND timeframe = %(timeframe)s AND model_id = %(model_id)s
      AND decided_at >= %(since)s
), bars AS (
    SELECT symbol, timestamp,
           lead(open, 1) OVER later AS entry, lead(open, 1 + %(horizon)s) OVER later AS leave
    FROM stock_aggs
    WHERE timeframe = %(timeframe)s AND symbol IN (SELECT symbol FROM scored)
      AND timestamp >= (SELECT min(bar_time) FROM scored)
    WINDOW later AS (PARTITION BY symbol ORDER BY timestamp)
)
SELECT scored.symbol, scored.score, (bars.leave / bars.entry - 1)::float8
FROM scored JOIN bars ON bars.symbol = scored.symbol AND bars.timestamp = scored.bar_time
ORDER BY scored.symbol, scored.bar_time
"""
_FACTS = """
SELECT coalesce((hyperparameters ->> 'horizon_bars')::int, 1),
       coalesce((hyperparameters -> 'assumptions' ->> 'bars_per_year')::int, 252)
FROM model_registry WHERE model_id = %s
"""


@dataclass(frozen=True)
class LiveRules:
    """How scores become positions, and what a change of position costs."""

    strategy: str
    entry_strength: float
    cost_bps: float


@dataclass(frozen=True)
class Judged:
    """One scored bar whose outcome is known."""

    symbol: str
    score: float
    earned: float  # return from entry to exit


@dataclass(frozen=True)
class LiveRecord:
    """What a version did: bars that it scored, those with an outcome, and its metrics."""

    scored: int = 0
    judged: int = 0
    metrics: dict[str, str] | None = None


def read_live_record(
    database: Database, model_id: str, timeframe: str, since: datetime, rules: LiveRules
) -> LiveRecord:
    """Return the record of a version since a moment."""
    facts = database.query(_FACTS, (model_id,))
    horizon, bars_per_year = facts[0] if facts else (1, 252)
    rows = database.query(
        _JUDGED,
        {
            "strategy": rules.strategy,
            "timeframe": timeframe,
            "model_id": model_id,
            "since": since,
            "horizon": horizon,
        },
    )
    known = [Judged(*row) for row in rows if row[2] is not None]
    return LiveRecord(len(rows), len(known), build_metrics(known, rules, bars_per_year))


def build_metrics(judged: Sequence[Judged], rules: LiveRules, bars_per_year: int) -> dict[str, str]:
    """Return liveSharpe, liveHitRate and liveLogloss; none of no bars."""
    if not judged:
        return {}
    hits = sum((each.score > 0.5) == (each.earned > 0) for each in judged)
    return {
        "liveSharpe": _render(_build_sharpe(judged, rules, bars_per_year)),
        "liveHitRate": _render(hits / len(judged)),
        "liveLogloss": _render(_build_logloss(judged)),
    }


def _build_logloss(judged: Iterable[Judged]) -> float:
    losses = []
    for each in judged:
        clipped = min(max(each.score, _SMALLEST_PROBABILITY), 1 - _SMALLEST_PROBABILITY)
        losses.append(-math.log(clipped) if each.earned > 0 else -math.log1p(-clipped))
    return sum(losses) / len(losses)


def _build_sharpe(judged: Iterable[Judged], rules: LiveRules, bars_per_year: int) -> float:
    profits: list[float] = []
    for _, bars in groupby(judged, key=lambda each: each.symbol):
        before = 0.0
        for each in bars:
            strength = 2 * each.score - 1
            held = math.copysign(1.0, strength) if abs(strength) >= rules.entry_strength else 0.0
            profits.append(held * each.earned - abs(held - before) * rules.cost_bps / 10_000)
            before = held
    mean = sum(profits) / len(profits)
    spread = math.sqrt(sum((each - mean) ** 2 for each in profits) / len(profits))
    return mean / spread * math.sqrt(bars_per_year) if spread > 0 else 0.0


def _render(value: float) -> str:
    return f"{value:.6f}" if math.isfinite(value) else "NaN"
