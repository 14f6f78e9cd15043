"""model_config.json: what is trained on which bars, how it is judged, when it is renewed."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trading_services.continuous_learning.policy import LearningRules

Symbol = Annotated[str, Field(min_length=1, max_length=32, pattern="^[A-Za-z0-9._/-]+$")]
ParameterValue = int | float | str | bool


class Assumptions(BaseModel):
    """How the out-of-sample Sharpe ratio trades: the threshold and the cost of each side."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry_strength: Annotated[float, Field(ge=0, lt=1)] = 0.03
    cost_bps: Annotated[float, Field(ge=0, le=1000)] = 3.0


class ModelSpec(BaseModel):
    """One model: a type, a timeframe, the symbols it is pooled over, and its first data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_type: Annotated[str, Field(pattern="^[a-z0-9-]{1,63}$")] = "lightgbm-direction"
    timeframe: Annotated[str, Field(pattern="^[0-9]+[a-zA-Z]+$", max_length=16)]
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=256)]
    initial_bars: Annotated[int, Field(ge=100, le=1_000_000)]
    bars_per_year: Annotated[int, Field(ge=1, le=600_000)]
    assumptions: Assumptions = Assumptions()


class Validation(BaseModel):
    """The purged walk-forward scheme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: Annotated[int, Field(ge=1, le=50)] = 5
    embargo_bars: Annotated[int, Field(ge=0, le=10_000)] = 5
    min_train_bars: Annotated[int, Field(ge=20, le=1_000_000)] = 400


class Boosting(BaseModel):
    """LightGBM's settings; `parameters` are handed on, what makes runs repeatable is fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rounds: Annotated[int, Field(ge=1, le=5000)] = 80
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    parameters: Annotated[dict[str, ParameterValue], Field(max_length=64)] = {
        "num_leaves": 5,
        "learning_rate": 0.02,
        "min_data_in_leaf": 150,
        "lambda_l2": 20.0,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
    }


class ModelConfig(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: Annotated[list[ModelSpec], Field(min_length=1, max_length=16)] = [
        ModelSpec(
            timeframe="1d", symbols=["AAPL", "IBM", "MSFT"], initial_bars=2000, bars_per_year=252
        ),
        ModelSpec(
            timeframe="1h",
            symbols=["EURUSD"],
            initial_bars=4000,
            bars_per_year=6240,
            assumptions=Assumptions(cost_bps=0.5),
        ),
    ]
    trainer: Literal["lightgbm"] = "lightgbm"
    horizon_bars: Annotated[int, Field(ge=1, le=1000)] = 1
    boosting: Boosting = Boosting()
    validation: Validation = Validation()
    learning: LearningRules = LearningRules()
    poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0

    @model_validator(mode="after")
    def _each_model_once(self) -> Self:
        keys = [(spec.model_type, spec.timeframe) for spec in self.models]
        if len(set(keys)) != len(keys):
            raise ValueError("models: two entries share model_type and timeframe; merge them")
        return self

    @model_validator(mode="after")
    def _holdout_is_new(self) -> Self:
        unseen = self.learning.holdout_bars + self.validation.embargo_bars + self.horizon_bars
        if self.learning.retrain_every_bars <= unseen:
            raise ValueError(
                f"learning.retrain_every_bars must be above {unseen} (holdout_bars + embargo_bars "
                "+ horizon_bars), so that the champion is judged on bars that it has not seen"
            )
        return self
