"""A market for the strategy: recorded bars, their real features and a really trained model."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from psycopg2.extras import execute_values

from trading_services.database.connection import Database
from trading_services.feature_engineering.compute import BAR_SCHEMA, compute_wide, melt
from trading_services.feature_engineering.feature_store import write_features
from trading_services.feature_engineering.schema import (
    FeatureConfig,
    build_features,
    feature_names,
    feature_schema_hash,
)
from trading_services.market_data.bars import Bar as MarketBar
from trading_services.market_data.recorded import read_series
from trading_services.model_training.config import Boosting, ModelConfig, ModelSpec, Validation
from trading_services.model_training.lightgbm_trainer import LightGBMTrainer
from trading_services.model_training.training import Recipe
from trading_services.model_training.workshop import FeatureSchema, Workshop

FEATURES = FeatureConfig()
SCHEMA = FeatureSchema(feature_names(FEATURES), feature_schema_hash(FEATURES))

INSERT_BARS = """
INSERT INTO stock_aggs (symbol, timestamp, open, high, low, close, volume, timeframe, source)
VALUES %s
"""


@dataclass(frozen=True)
class World:
    """Which recorded bars there are, and on how many of them the first model is trained."""

    symbols: tuple[str, ...] = ("AAPL", "IBM", "MSFT")
    timeframe: str = "1d"
    bars: int = 1400
    initial_bars: int = 600

    @property
    def model_config(self) -> ModelConfig:
        """A small, quick training of a model that trades often."""
        spec = ModelSpec(
            timeframe=self.timeframe,
            symbols=list(self.symbols),
            initial_bars=self.initial_bars,
            bars_per_year=252,
        )
        return ModelConfig(
            models=[spec],
            boosting=Boosting(rounds=30),
            validation=Validation(folds=2, min_train_bars=200),
        )


def write_world(database: Database, world: World) -> None:
    """Store the bars and features of every symbol."""
    for symbol in world.symbols:
        write_series(database, symbol, world.timeframe, world.bars)


def write_series(database: Database, symbol: str, timeframe: str, bars: int) -> None:
    """Store the first `bars` bars of a recorded series with their features."""
    series = read_series(symbol, timeframe)[:bars]
    write_bars(database, series)
    wide = compute_wide(build_frame(series), build_features(FEATURES))
    write_features(
        database, (symbol, timeframe), melt(wide, build_features(FEATURES)), lambda: None
    )


def write_bars(database: Database, bars: list[MarketBar]) -> None:
    """Store bars as data acquisition does."""
    rows = [
        (b.symbol, b.timestamp, b.open, b.high, b.low, b.close, b.volume, b.timeframe, b.source)
        for b in bars
    ]
    with database.transaction() as cursor:
        execute_values(cursor, INSERT_BARS, rows, page_size=1000)


def build_frame(bars: list[MarketBar]) -> pl.DataFrame:
    """Return the bars as feature engineering reads them."""
    columns = {name: [getattr(bar, name) for bar in bars] for name in BAR_SCHEMA}
    return pl.DataFrame(columns, schema=BAR_SCHEMA)


def build_workshop(database: Database, world: World, models_dir: Path) -> Workshop:
    """Return the workshop that trains this world's model."""
    config = world.model_config
    recipe = Recipe(LightGBMTrainer(), config, config.models[0])
    return Workshop(database, recipe, SCHEMA, models_dir, lambda _: None)


def train_first_model(database: Database, world: World, models_dir: Path) -> None:
    """Train and register the world's first champion."""
    workshop = build_workshop(database, world, models_dir)
    due = workshop.read_missing_champion()
    assert due is not None
    workshop.train_first(due)
