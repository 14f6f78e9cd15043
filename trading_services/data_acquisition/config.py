"""data_config.json: which series are acquired, and what is history and what is replayed."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trading_services.contract.config import read_config
from trading_services.contract.settings import ServiceSettings

Name = Annotated[str, Field(min_length=1, max_length=32, pattern="^[A-Za-z0-9_.-]+$")]


class FeedConfig(BaseModel):
    """Series that share a clock: their bars are replayed together in time order.

    History is everything before `warmup_until`, or without it the first `warmup_share` of the time
    steps; it is stored at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    symbols: Annotated[tuple[Name, ...], Field(min_length=1, max_length=256)]
    timeframe: Literal["1d", "1h", "1m"]
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.8
    warmup_until: date | None = None


_DEFAULT_FEEDS = (
    FeedConfig(name="stocks", symbols=("AAPL", "IBM", "MSFT"), timeframe="1d"),
    FeedConfig(name="forex", symbols=("EURUSD",), timeframe="1h"),
)


class DataConfig(BaseModel):
    """The feeds; a series belongs to one feed only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feeds: Annotated[tuple[FeedConfig, ...], Field(min_length=1, max_length=32)] = _DEFAULT_FEEDS

    @model_validator(mode="after")
    def _refuse_repeated_series(self) -> Self:
        series = [(symbol, feed.timeframe) for feed in self.feeds for symbol in feed.symbols]
        repeated = sorted({one for one in series if series.count(one) > 1})
        if repeated:
            raise ValueError(f"a series may stand in one feed only, once: {repeated}")
        return self


class DataAcquisitionSettings(ServiceSettings):
    """REPLAY_SPEED is in time steps a second for each feed; 0 means as fast as possible."""

    provider: Literal["recorded"] = "recorded"
    replay_speed: Annotated[float, Field(ge=0, le=100_000)] = 5
    replay_on_complete: Literal["Stay", "Loop"] = "Stay"
    data_dir: Path = Path("/app/data")


def read_data_config(config_dir: Path) -> DataConfig:
    """Read data_config.json of the folder; raise ConfigError naming file and field."""
    return read_config(config_dir / "data_config.json", DataConfig)
