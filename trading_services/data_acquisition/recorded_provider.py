"""The provider that replays recorded series at a chosen speed."""

from collections.abc import Mapping, Sequence
from typing import Any

from trading_services.contract.errors import ConfigError
from trading_services.data_acquisition.config import DataConfig
from trading_services.data_acquisition.feed import Feed, build_feed
from trading_services.data_acquisition.provider import SeriesKey, Stand
from trading_services.market_data.bars import Bar, find_fault
from trading_services.market_data.recorded import RecordedDataError, read_series

# After a pause or an outage the replay goes on at its speed instead of catching up at once.
_LONGEST_CREDIT_SECONDS = 1.0
_STEPS_AT_FULL_SPEED = 250


class RecordedProvider:
    """Replays feeds side by side, each at `speed` time steps a second (0: as fast as possible)."""

    def __init__(self, feeds: Sequence[Feed], speed: float) -> None:
        """Start at the end of every feed's warm-up; `read_history` sets where it goes on."""
        self._feeds = feeds
        self._speed = speed
        self._positions = {feed.name: feed.warmup for feed in feeds}
        self._credit = 0.0
        self._polled_at: float | None = None

    @property
    def complete(self) -> bool:
        """Tell whether every feed is at its end."""
        return all(
            not feed.endless and self._positions[feed.name] >= feed.recorded for feed in self._feeds
        )

    def read_history(self, stands: Mapping[SeriesKey, Stand]) -> list[Bar]:
        """Return the bars of the series of which the table lacks any up to its feed's clock."""
        return [bar for feed in self._feeds for bar in self._read_feed_history(feed, stands)]

    def poll(self, now: float) -> list[Bar]:
        """Return the bars of the steps whose time has come since the last call."""
        steps = self._due_steps(now)
        return [bar for feed in self._feeds for bar in self._advance(feed, steps)]

    def describe(self) -> dict[str, Any]:
        """Return each feed's position, length and clock."""
        return {feed.name: self._describe_feed(feed) for feed in self._feeds}

    def _read_feed_history(self, feed: Feed, stands: Mapping[SeriesKey, Stand]) -> list[Bar]:
        keys = _series_of(feed)
        lasts = [stands[key].last for key in keys if key in stands]
        self._positions[feed.name] = feed.position_after(max(lasts, default=None))
        due = [bar for index in range(self._positions[feed.name]) for bar in feed.step(index).bars]
        counts = dict.fromkeys(keys, 0)
        for bar in due:
            counts[_key(bar)] += find_fault(bar) is None
        lacking = {key for key in keys if key not in stands or stands[key].count < counts[key]}
        return [bar for bar in due if _key(bar) in lacking]

    def _due_steps(self, now: float) -> int:
        if self._speed == 0:
            return _STEPS_AT_FULL_SPEED
        elapsed = 0.0 if self._polled_at is None else now - self._polled_at
        self._polled_at = now
        self._credit += min(elapsed, _LONGEST_CREDIT_SECONDS) * self._speed
        whole = int(self._credit)
        self._credit -= whole
        return whole

    def _advance(self, feed: Feed, steps: int) -> list[Bar]:
        start = self._positions[feed.name]
        end = start + steps if feed.endless else min(start + steps, feed.recorded)
        self._positions[feed.name] = end
        return [bar for index in range(start, end) for bar in feed.step(index).bars]

    def _describe_feed(self, feed: Feed) -> dict[str, Any]:
        position = self._positions[feed.name]
        clock = feed.step(position - 1).timestamp.isoformat() if position else None
        return {
            "position": position,
            "warmup": feed.warmup,
            "recorded": feed.recorded,
            "clock": clock,
        }


def read_recorded_provider(config: DataConfig, speed: float, *, endless: bool) -> RecordedProvider:
    """Read every feed's series; raise ConfigError for one that is not on record."""
    feeds = []
    for number, feed in enumerate(config.feeds):
        bars: list[Bar] = []
        for place, symbol in enumerate(feed.symbols):
            try:
                bars += read_series(symbol, feed.timeframe)
            except RecordedDataError as error:
                field = f"feeds.{number}.symbols.{place}"
                raise ConfigError("data_config.json", field, str(error)) from None
        feeds.append(build_feed(feed, bars, endless=endless))
    return RecordedProvider(feeds, speed)


def _series_of(feed: Feed) -> list[SeriesKey]:
    found = {_key(bar) for index in range(feed.recorded) for bar in feed.step(index).bars}
    return sorted(found)


def _key(bar: Bar) -> SeriesKey:
    return bar.symbol, bar.timeframe
