"""Walk-forward folds: nothing that is tested was trained on, not even through its label."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_services.model_training.walk_forward import (
    FoldRules,
    Samples,
    TooLittleDataError,
    build_folds,
    build_holdout,
)


def _build_samples(bars: int, symbols: int, horizon: int) -> Samples:
    days = np.arange(bars).astype("datetime64[D]").astype("datetime64[us]")
    count = bars - 1 - horizon
    return Samples(
        times=np.repeat(days[:count], symbols),
        label_ends=np.repeat(days[1 + horizon : 1 + horizon + count], symbols),
    )


CASES = {
    "bars": st.integers(60, 300),
    "symbols": st.integers(1, 3),
    "horizon": st.integers(1, 5),
    "folds": st.integers(1, 6),
    "embargo": st.integers(0, 10),
}


@given(**CASES)
def test_no_label_of_a_training_sample_reaches_the_embargo_or_the_test_block(
    bars: int, symbols: int, horizon: int, folds: int, embargo: int
) -> None:
    samples = _build_samples(bars, symbols, horizon)
    day = np.timedelta64(1, "D")
    for fold in build_folds(samples, FoldRules(folds, embargo, 20)):
        assert len(fold.train) > 0
        assert len(fold.test) > 0
        newest_label = samples.label_ends[fold.train].max()
        assert newest_label < samples.times[fold.test].min() - embargo * day
        assert samples.times[fold.train].max() < samples.times[fold.test].min()


@given(**CASES)
def test_test_blocks_follow_one_another_without_overlap_up_to_the_last_sample(
    bars: int, symbols: int, horizon: int, folds: int, embargo: int
) -> None:
    samples = _build_samples(bars, symbols, horizon)
    made = build_folds(samples, FoldRules(folds, embargo, 20))
    tested = np.concatenate([fold.test for fold in made])
    assert len(made) == folds
    assert len(set(tested.tolist())) == len(tested)
    assert tested.tolist() == list(range(tested[0], len(samples.times)))
    assert len({len(fold.test) for fold in made}) == 1


@given(**CASES)
def test_later_folds_train_on_all_that_earlier_ones_trained_on(
    bars: int, symbols: int, horizon: int, folds: int, embargo: int
) -> None:
    made = build_folds(_build_samples(bars, symbols, horizon), FoldRules(folds, embargo, 20))
    for earlier, later in itertools.pairwise(made):
        assert set(earlier.train.tolist()) < set(later.train.tolist())


@given(holdout=st.integers(1, 30), embargo=st.integers(0, 10), horizon=st.integers(1, 5))
def test_a_holdout_is_the_last_bars_and_nothing_of_them_is_trained_on(
    holdout: int, embargo: int, horizon: int
) -> None:
    samples = _build_samples(100, 2, horizon)
    fold = build_holdout(samples, holdout, embargo)
    assert len(fold.test) == 2 * holdout
    assert fold.test[-1] == len(samples.times) - 1
    gap = np.timedelta64(embargo, "D")
    assert samples.label_ends[fold.train].max() < samples.times[fold.test].min() - gap


def test_too_few_bars_are_refused_with_the_numbers() -> None:
    with pytest.raises(TooLittleDataError, match="18 bars do not make 5 folds"):
        build_folds(_build_samples(20, 1, 1), FoldRules(5, 5, 20))
    with pytest.raises(TooLittleDataError):
        build_holdout(_build_samples(20, 1, 1), 18, 5)
