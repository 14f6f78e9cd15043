"""market_hours.json: the markets, their weekly sessions, holidays and early closes."""

import json
from datetime import date, time
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trading_services.contract.config import read_config

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
Symbol = Annotated[str, Field(min_length=1, max_length=32)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WeeklySession(_Model):
    """A session of certain weekdays; one that closes at or before its opening ends a day later."""

    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)]
    open: time
    close: time


class Coverage(_Model):
    """Days for which the holidays are known, both included."""

    first: date
    last: date

    @model_validator(mode="after")
    def _refuse_backwards(self) -> Self:
        if self.last < self.first:
            raise ValueError("last lies before first")
        return self


class Market(_Model):
    """One market; its session days are dates on its own clock."""

    name: Annotated[str, Field(min_length=1, max_length=32)]
    timezone: str
    timeframe: Literal["1d", "1h", "1m"]
    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=1000)]
    sessions: Annotated[tuple[WeeklySession, ...], Field(min_length=1, max_length=14)]
    coverage: Annotated[tuple[Coverage, ...], Field(min_length=1, max_length=64)]
    holidays: Annotated[frozenset[date], Field(max_length=5000)] = frozenset()
    early_closes: Annotated[dict[date, time], Field(max_length=5000)] = Field(default_factory=dict)

    @field_validator("timezone")
    @classmethod
    def _refuse_unknown_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no such time zone: {name}") from None
        return name

    def covers(self, day: date) -> bool:
        """Tell whether the holidays of that day's year are known."""
        return any(span.first <= day <= span.last for span in self.coverage)


class MarketHours(_Model):
    """All markets."""

    markets: Annotated[tuple[Market, ...], Field(min_length=1, max_length=64)]


def read_market_hours(config_dir: Path) -> MarketHours:
    """Read market_hours.json of the folder, or the one in this package when it is not there."""
    path = config_dir / "market_hours.json"
    if path.exists():
        return read_config(path, MarketHours)
    content = (files("trading_services.system_controller") / "market_hours.json").read_text()
    return MarketHours.model_validate(json.loads(content))
