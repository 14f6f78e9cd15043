"""Purged walk-forward folds: train on the past, leave a gap, test on what came after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


class TooLittleDataError(Exception):
    """There are not enough bars for the folds that were asked for."""


@dataclass(frozen=True)
class Samples:
    """When each sample was known (`times`) and when its label ended (`label_ends`); same length."""

    times: npt.NDArray[np.datetime64]
    label_ends: npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class FoldRules:
    """How many folds, bars left out before each test block, and bars the first one trains on."""

    folds: int
    embargo_bars: int
    min_train_bars: int


@dataclass(frozen=True)
class Fold:
    """Positions of the samples to train on and to test on; `test_start` is the block's first."""

    train: Indices
    test: Indices
    test_start: np.datetime64
    test_end: np.datetime64


def build_folds(samples: Samples, rules: FoldRules) -> list[Fold]:
    """Return expanding folds over equal blocks of bars; raises TooLittleDataError.

    A training sample is kept only if its label ended before the embargo that precedes the block,
    so that no price inside the test block, nor right before it, was ever trained on.
    """
    bars = np.unique(samples.times)
    testable = len(bars) - rules.min_train_bars - rules.embargo_bars
    block = testable // rules.folds
    if block < 1:
        raise TooLittleDataError(
            f"{len(bars)} bars do not make {rules.folds} folds after {rules.min_train_bars} "
            f"training and {rules.embargo_bars} embargo bars"
        )
    starts = [len(bars) - block * (rules.folds - number) for number in range(rules.folds)]
    return [_build_fold(samples, bars, (start, start + block), rules) for start in starts]


def build_holdout(samples: Samples, holdout_bars: int, embargo_bars: int) -> Fold:
    """Return the one fold whose test block is the last `holdout_bars` bars."""
    bars = np.unique(samples.times)
    start = len(bars) - holdout_bars
    if holdout_bars < 1 or start - embargo_bars < 1:
        raise TooLittleDataError(f"{len(bars)} bars leave none to train on")
    rules = FoldRules(folds=1, embargo_bars=embargo_bars, min_train_bars=1)
    return _build_fold(samples, bars, (start, len(bars)), rules)


def _build_fold(
    samples: Samples,
    bars: npt.NDArray[np.datetime64],
    block: tuple[int, int],
    rules: FoldRules,
) -> Fold:
    start, end = block
    known_before = bars[max(start - rules.embargo_bars, 0)]
    tested = (samples.times >= bars[start]) & (samples.times <= bars[end - 1])
    return Fold(
        train=np.flatnonzero(samples.label_ends < known_before),
        test=np.flatnonzero(tested),
        test_start=bars[start],
        test_end=bars[end - 1],
    )


def build_times(times: Sequence[datetime]) -> npt.NDArray[np.datetime64]:
    """Return UTC times as microsecond stamps without a zone, which numpy can compare."""
    return np.array([int(time.timestamp() * 1_000_000) for time in times], dtype="datetime64[us]")


def to_moment(time: np.datetime64) -> datetime:
    """Return a stamp of `build_times` as a moment in UTC."""
    return datetime.fromtimestamp(int(time.astype("datetime64[us]").astype("int64")) / 1e6, UTC)
