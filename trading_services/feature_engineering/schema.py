"""feature_config.json, the names of the features it asks for, and the digest of their meaning.

Imports no frame library: model training and the strategy compare the digest too.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from trading_services.contract.config import read_config

Window = Annotated[int, Field(ge=1, le=1000)]
LongWindow = Annotated[int, Field(ge=2, le=1000)]
CalendarField = Literal["day_of_week", "day_of_month", "month", "hour"]

# To be raised when a formula changes: a model trained on the old meaning must not be fed the new.
_FORMULA_VERSION = 1


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReturnsGroup(_Group):
    """return_N: close over the close N bars before, minus one."""

    periods: Annotated[tuple[Window, ...], Field(max_length=32)] = (1, 2, 5, 10, 20)


class VolumeGroup(_Group):
    """log_volume_change_N: ln of volume plus one, now minus N bars before."""

    log_change_periods: Annotated[tuple[Window, ...], Field(max_length=32)] = (1, 5)


class TrendGroup(_Group):
    """sma_ratio_N and ema_ratio_N: close over its moving average, minus one."""

    sma_windows: Annotated[tuple[LongWindow, ...], Field(max_length=32)] = (10, 50)
    ema_spans: Annotated[tuple[LongWindow, ...], Field(max_length=32)] = (12, 26)


class OscillatorGroup(_Group):
    """rsi_N: Wilder's relative strength index, 0 to 100."""

    rsi_windows: Annotated[tuple[LongWindow, ...], Field(max_length=32)] = (14,)


class VolatilityGroup(_Group):
    """volatility_N: standard deviation of the last N log returns; range_N: mean of high/low - 1."""

    windows: Annotated[tuple[LongWindow, ...], Field(max_length=32)] = (10, 20)
    range_windows: Annotated[tuple[LongWindow, ...], Field(max_length=32)] = (10,)


class MomentumGroup(_Group):
    """momentum_N: return over N bars divided by the volatility over the same bars."""

    windows: Annotated[tuple[LongWindow, ...], Field(max_length=32)] = (20, 60)


class CalendarGroup(_Group):
    """Fields of the bar's start on New York's clock, Monday being 1."""

    fields: Annotated[tuple[CalendarField, ...], Field(max_length=4)] = ("day_of_week", "month")


class FeatureGroups(_Group):
    """One entry a group; an empty list leaves its features out."""

    returns: ReturnsGroup = ReturnsGroup()
    volume: VolumeGroup = VolumeGroup()
    trend: TrendGroup = TrendGroup()
    oscillator: OscillatorGroup = OscillatorGroup()
    volatility: VolatilityGroup = VolatilityGroup()
    momentum: MomentumGroup = MomentumGroup()
    calendar: CalendarGroup = CalendarGroup()


class FeatureConfig(BaseModel):
    """feature_config.json: the timeframes worked on, and the groups of features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeframes: Annotated[tuple[Literal["1d", "1h", "1m"], ...], Field(min_length=1)] = ("1d", "1h")
    groups: FeatureGroups = FeatureGroups()


class Feature(BaseModel):
    """One feature: its name, its group, and the kind and parameter that define it."""

    model_config = ConfigDict(frozen=True)

    name: str
    group: str
    kind: str
    parameter: int | str


def read_feature_config(config_dir: Path) -> FeatureConfig:
    """Read feature_config.json of the folder; raise ConfigError naming file and field."""
    return read_config(config_dir / "feature_config.json", FeatureConfig)


def build_features(config: FeatureConfig) -> tuple[Feature, ...]:
    """Return the features asked for, sorted by name, each once."""
    found = {feature.name: feature for feature in _enumerate(config.groups)}
    return tuple(found[name] for name in sorted(found))


def feature_names(config: FeatureConfig) -> tuple[str, ...]:
    """Return the names of the features asked for, sorted."""
    return tuple(feature.name for feature in build_features(config))


def feature_schema_hash(config: FeatureConfig) -> str:
    """Return the SHA-256 over the features' names and definitions, as hex."""
    meaning = [feature.model_dump() for feature in build_features(config)]
    content = json.dumps({"version": _FORMULA_VERSION, "features": meaning}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _enumerate(groups: FeatureGroups) -> Iterator[Feature]:
    wanted: dict[str, tuple[str, tuple[int | str, ...]]] = {
        "return": ("returns", groups.returns.periods),
        "log_volume_change": ("volume", groups.volume.log_change_periods),
        "sma_ratio": ("trend", groups.trend.sma_windows),
        "ema_ratio": ("trend", groups.trend.ema_spans),
        "rsi": ("oscillator", groups.oscillator.rsi_windows),
        "volatility": ("volatility", groups.volatility.windows),
        "range": ("volatility", groups.volatility.range_windows),
        "momentum": ("momentum", groups.momentum.windows),
        "calendar": ("calendar", groups.calendar.fields),
    }
    for kind, (group, parameters) in wanted.items():
        for parameter in parameters:
            name = f"{kind}_{parameter}"
            yield Feature(name=name, group=group, kind=kind, parameter=parameter)
