"""What is another training, and what is not."""

import pytest

from trading_operator.plan.training.recipe import recipe_of
from unit.operator_pure.training.worlds import make_training


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"hyperparameters": {"rounds": "9"}},
        {"dataset": {"source": "db", "symbols": ["AAPL"], "to": "2006-12-31"}},
        {"features": ["return_1"]},
        {"leakageChecks": []},
        {"trainer": "Sequence"},
        {"validation": {"folds": 4}},
    ],
)
def test_what_decides_the_result_is_another_recipe(change: dict[str, object]) -> None:
    assert recipe_of(make_training(**change)) != recipe_of(make_training())


@pytest.mark.parametrize(
    "change",
    [
        {"retries": 9},
        {"suspend": True},
        {"devices": [{"name": "gpu", "resource": "nvidia.com/gpu"}]},
        {"gates": [{"metric": "oosAuc", "op": ">=", "value": "0.5"}]},
        {"schedule": {"cron": "@daily"}},
        {"seed": 7},
        {"validation": {"folds": 5}},
    ],
)
def test_what_does_not_or_says_the_default_is_the_same_one(change: dict[str, object]) -> None:
    assert recipe_of(make_training(**change)) == recipe_of(make_training())
