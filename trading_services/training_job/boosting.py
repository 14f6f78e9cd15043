"""LightGBM in chunks of rounds: where a training is cut off makes no difference to its bytes.

Every chunk starts from the text of the model so far and has a seed of its own, whether or not the
program was started anew in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trading_services.model_training.lightgbm_trainer import REPEATABLE
from trading_services.model_training.trainer import Matrix
from trading_services.training_job.errors import PermanentError
from trading_services.training_job.sheet import Sheet

DEFAULTS: Mapping[str, int | float | str | bool] = {
    "num_leaves": 5,
    "learning_rate": 0.02,
    "min_data_in_leaf": 150,
    "lambda_l2": 20.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
}
ROUNDS, MOST_ROUNDS = 80, 100_000
CHUNK = 10
# They are not settings of the trees, or would make two runs differ; with their other names.
_RESERVED = frozenset(
    {
        *REPEATABLE,
        *("application", "app", "objective_type", "loss"),
        *("num_thread", "nthread", "nthreads", "n_jobs"),
        "verbose",
        *("seed", "random_seed", "random_state"),
        *("num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees", "num_round"),
        *("num_rounds", "nrounds", "num_boost_round", "n_estimators", "max_iter"),
        *("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change"),
        *("device_type", "device"),
    }
)


@dataclass(frozen=True)
class Boosting:
    """Settings of one training: `rounds` trees in chunks of CHUNK."""

    rounds: int
    seed: int
    parameters: Mapping[str, int | float | str | bool]

    format = "lightgbm"
    suffix = ".lgbm.txt"
    can_use_devices = False
    device = "cpu"

    @property
    def chunks(self) -> int:
        """How many chunks make a model."""
        return -(-self.rounds // CHUNK)

    def describe(self) -> list[object]:
        """Return what decides the model's bytes."""
        return ["LightGBM", self.rounds, self.seed, dict(self.parameters)]

    def train_chunk(self, sheet: Sheet, state: bytes, chunk: int) -> bytes:
        """Return the model's text with one more chunk of trees."""
        import lightgbm  # native code and scipy: loaded when training starts, not before

        data = lightgbm.Dataset(
            sheet.features[sheet.rows],
            label=sheet.labels.astype(np.float64),
            feature_name=list(sheet.feature_names),
            params={"verbosity": -1},
            free_raw_data=False,
        )
        rounds = min(CHUNK, self.rounds - chunk * CHUNK)
        seed = (self.seed + chunk * 7919) % (2**31 - 1)
        former = lightgbm.Booster(model_str=state.decode()) if state else None
        try:
            booster = lightgbm.train(
                {**self.parameters, "seed": seed, **REPEATABLE},
                data,
                num_boost_round=rounds,
                init_model=former,
            )
        # It tells of some settings by errors of Python's own.
        except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
            raise PermanentError(
                "InvalidHyperparameters", f"hyperparameters: LightGBM says {error}; mend them"
            ) from None
        return str(booster.model_to_string()).encode()

    def score(self, state: bytes, sheet: Sheet) -> Matrix:
        """Return the probability of a rise for each row."""
        return score_text(state.decode(), sheet.features[sheet.rows])

    def export(self, state: bytes, _: tuple[str, ...]) -> bytes:
        """Return the file: the model's text."""
        return state


def score_text(text: str, features: Matrix) -> Matrix:
    """Return the probability of a rise for every row, by a model's text."""
    import lightgbm

    booster = lightgbm.Booster(model_str=text)
    return np.asarray(booster.predict(features, num_threads=1), dtype=np.float64)


def read_boosting(hyperparameters: Mapping[str, str], seed: int) -> Boosting:
    """Read the settings; raises PermanentError naming the one that makes no sense."""
    given = dict(hyperparameters)
    rounds = _read_rounds(given.pop("rounds", str(ROUNDS)))
    reserved = sorted(_RESERVED & given.keys())
    if reserved:
        raise PermanentError(
            "InvalidHyperparameters",
            f"hyperparameters.{reserved[0]}: it is fixed, so that runs repeat; remove it",
        )
    parameters = {**DEFAULTS, **{name: _read_value(text) for name, text in given.items()}}
    return Boosting(rounds, seed, parameters)


def _read_rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_ROUNDS:
        raise PermanentError(
            "InvalidHyperparameters",
            f"hyperparameters.rounds: {text} is no number from 1 to {MOST_ROUNDS}; mend it",
        )
    return int(text)


def _read_value(text: str) -> int | float | str | bool:
    if text in ("true", "false"):
        return text == "true"
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
