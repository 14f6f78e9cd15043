"""Training: repeatable to the byte, honest about leaks, scored alike without LightGBM."""

from dataclasses import replace

import numpy as np
import pytest

from trading_services.model_training.config import Boosting, ModelConfig, ModelSpec, Validation
from trading_services.model_training.dataset import Dataset, History, Matrix, build_dataset
from trading_services.model_training.lightgbm_trainer import LightGBMTrainer
from trading_services.model_training.training import Recipe, train_challenger, train_first
from trading_services.trading_strategy.tree_model import ModelFormatError, build_tree_model

NAMES = ("alpha", "beta", "gamma")


def _build_history(symbol: str, bars: int, seed: int, signal: float = 0.0) -> History:
    source = np.random.default_rng(seed)
    features = source.normal(size=(bars, len(NAMES)))
    noise = source.normal(size=bars)
    # The return from open i+1 to open i+2 follows the first feature of bar i.
    returns = 0.01 * (signal * np.roll(features[:, 0], 2) + noise)
    times = np.arange(bars).astype("datetime64[D]").astype("datetime64[us]")
    opens: Matrix = np.cumprod(1 + returns).astype(np.float64)
    return History(symbol, times, opens, features)


def _build_recipe(**boosting: object) -> Recipe:
    spec = ModelSpec(timeframe="1d", symbols=["A", "B"], initial_bars=400, bars_per_year=252)
    config = ModelConfig(
        models=[spec],
        boosting=Boosting.model_validate({"rounds": 20, **boosting}),
        validation=Validation(folds=3, min_train_bars=100),
    )
    return Recipe(LightGBMTrainer(), config, spec)


def _build(signal: float, bars: int = 500) -> Dataset:
    histories = [_build_history("A", bars, 1, signal), _build_history("B", bars, 2, signal)]
    return build_dataset(histories, NAMES, 1)


@pytest.mark.acceptance("A04")
def test_the_same_data_and_seed_give_the_same_model_and_metrics() -> None:
    first, second = (train_first(_build_recipe(), _build(0.5)) for _ in range(2))
    assert first.model.text == second.model.text
    assert first.folds == second.folds


def test_another_seed_gives_another_model() -> None:
    first = train_first(_build_recipe(seed=7), _build(0.5))
    second = train_first(_build_recipe(seed=8), _build(0.5))
    assert first.model.text != second.model.text


def test_a_training_beats_with_every_tree_of_every_fold() -> None:
    beats: list[None] = []
    recipe = _build_recipe()
    trainer = LightGBMTrainer(lambda: beats.append(None))
    train_first(replace(recipe, trainer=trainer), _build(0.5))
    models = recipe.config.validation.folds + 1
    assert len(beats) >= models * recipe.config.boosting.rounds


@pytest.mark.acceptance("A04", "A31")
def test_a_signal_is_found_out_of_sample_and_noise_is_not() -> None:
    found = train_first(_build_recipe(), _build(1.0)).summary
    noise = train_first(_build_recipe(), _build(0.0)).summary
    assert found["auc"] > 0.65
    assert found["sharpe"] > 2
    assert 0.45 < noise["auc"] < 0.55
    assert noise["sharpe"] < 1


def test_labels_begin_at_the_next_open_so_that_the_bar_itself_cannot_leak() -> None:
    history = _build_history("A", 50, 3)
    dataset = build_dataset([history], NAMES, 1)
    assert len(dataset.returns) == 48
    assert dataset.returns[0] == history.opens[2] / history.opens[1] - 1
    assert dataset.samples.label_ends[0] == history.times[2]


def test_the_data_digest_changes_with_any_value_and_with_nothing_else() -> None:
    base = [_build_history("A", 50, 3), _build_history("B", 50, 4)]
    digest = build_dataset(base, NAMES, 1).digest
    assert build_dataset(base[::-1], NAMES, 1).digest == digest
    changed = _build_history("A", 50, 3)
    changed.features[7, 1] += 1e-9
    assert build_dataset([changed, base[1]], NAMES, 1).digest != digest


@pytest.mark.acceptance("A22")
def test_a_challenger_that_learned_the_signal_beats_a_champion_that_could_not() -> None:
    recipe = _build_recipe()
    champion = train_first(recipe, _build(0.0)).model
    candidate = train_challenger(recipe, _build(1.0, 900), champion)
    assert candidate.verdict is not None
    assert candidate.verdict.promoted
    assert candidate.verdict.challenger < candidate.verdict.champion


def test_the_own_scorer_agrees_with_lightgbm_to_the_last_bit() -> None:
    model = train_first(_build_recipe(), _build(1.0)).model
    scorer = build_tree_model(model.text)
    rows = np.random.default_rng(5).normal(size=(500, len(NAMES))) * 3
    rows[3] = 0.0
    rows[4, 1] = np.nan
    rows[5] = [np.inf, -np.inf, 0.0]
    expected = model.score(rows)
    assert scorer.feature_names == NAMES
    assert [scorer.score(row) for row in rows.tolist()] == expected.tolist()


@pytest.mark.parametrize("missing", ["nan", "zero"])
def test_the_own_scorer_treats_missing_values_as_lightgbm_does(missing: str) -> None:
    import lightgbm

    source = np.random.default_rng(6)
    rows = source.normal(size=(400, 3))
    rows[source.random(rows.shape) < 0.2] = np.nan if missing == "nan" else 0.0
    labels = (np.nan_to_num(rows[:, 0]) > 0.1).astype(float)
    parameters = {
        "objective": "binary", "verbosity": -1, "zero_as_missing": missing == "zero",
        "num_leaves": 8,
    }  # fmt: skip
    data = lightgbm.Dataset(rows, labels, feature_name=list(NAMES), params={"verbosity": -1})
    booster = lightgbm.train(parameters, data, num_boost_round=10)
    scorer = build_tree_model(booster.model_to_string())
    expected = np.asarray(booster.predict(rows)).tolist()
    assert [scorer.score(row) for row in rows.tolist()] == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "lacks the field feature_names"),
        (
            "tree\nfeature_names=a b\nobjective=regression\n\nTree=0\nleaf_value=1\nend of trees",
            "regression",
        ),
        ("tree\nfeature_names=a b\nobjective=binary sigmoid:1\n", "no trees"),
        (
            "tree\nfeature_names=a\nobjective=binary\n\nTree=0\nnum_cat=1\nleaf_value=1 2\n",
            "categorical",
        ),
    ],
)
def test_a_text_that_is_no_model_of_ours_is_refused_with_the_reason(
    text: str, problem: str
) -> None:
    with pytest.raises(ModelFormatError, match=problem):
        build_tree_model(text)


def test_a_text_that_is_cut_off_is_refused() -> None:
    text = train_first(_build_recipe(), _build(1.0)).model.text
    whole = text.index("end of trees")
    for length in range(0, whole, 97):
        with pytest.raises((ModelFormatError, ValueError)):
            build_tree_model(text[:length])
