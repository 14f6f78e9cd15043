"""A recorded feed as an endless or ending sequence of time steps."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from trading_services.data_acquisition.config import FeedConfig
from trading_services.market_data.bars import Bar

_NEW_YORK = ZoneInfo("America/New_York")
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class Step:
    """All bars of one moment."""

    timestamp: datetime
    bars: tuple[Bar, ...]


class Feed:
    """Steps 0, 1, 2, … of a feed; the first `warmup` of them are history."""

    def __init__(self, name: str, steps: Sequence[Step], warmup: int, *, endless: bool) -> None:
        """Take the recorded steps in time order; an endless feed repeats those after the warm-up.

        Odd repetitions are mirrored: each price p becomes A/p, where A makes the seam continuous.
        Prices then stay bounded however long the feed runs, and no seam shows a jump.
        """
        self.name = name
        self.warmup = warmup
        self.recorded = len(steps)
        self.endless = endless
        self._steps = steps
        self._times = [step.timestamp for step in steps]
        self._span = _repetition_span(self._times[warmup:])
        self._mirrors = _mirror_constants(steps[warmup:])

    def step(self, index: int) -> Step:
        """Return the step; beyond the record only an endless feed has one (IndexError)."""
        if index < self.recorded or not self.endless:
            return self._steps[index]
        repetition, offset = divmod(index - self.warmup, self.recorded - self.warmup)
        return self._repeat(self._steps[self.warmup + offset], repetition)

    def position_after(self, moment: datetime | None) -> int:
        """Return the index of the first step later than `moment`, the warm-up's end at least."""
        if moment is None:
            return self.warmup
        if moment <= self._times[-1] or not self.endless:
            return max(self.warmup, bisect_right(self._times, moment))
        repetition = (moment - self._times[self.warmup]) // self._span
        length = self.recorded - self.warmup
        # A clock change moves a repetition by an hour, so look from the one before.
        index = self.warmup + max(0, repetition - 1) * length
        while self.step(index).timestamp <= moment:
            index += 1
        return index

    def _repeat(self, step: Step, repetition: int) -> Step:
        moment = _shift(step.timestamp, self._span * repetition)
        mirrored = repetition % 2 == 1
        shown = (
            [_mirror(bar, self._mirrors[bar.symbol]) for bar in step.bars]
            if mirrored
            else (step.bars)
        )
        return Step(
            moment,
            tuple(
                replace(bar, timestamp=moment, source=f"{bar.source}:repetition") for bar in shown
            ),
        )


def build_feed(config: FeedConfig, bars: Iterable[Bar], *, endless: bool) -> Feed:
    """Merge the series' bars into steps and split off the warm-up."""
    ordered = sorted(bars, key=lambda bar: (bar.timestamp, bar.symbol))
    steps = [
        Step(moment, tuple(group)) for moment, group in groupby(ordered, lambda bar: bar.timestamp)
    ]
    warmup = _warmup_steps(config, [step.timestamp for step in steps])
    return Feed(config.name, steps, warmup, endless=endless)


def _warmup_steps(config: FeedConfig, times: Sequence[datetime]) -> int:
    # One step at least is replayed: a feed that only has history has no clock that moves.
    most = len(times) - 1
    if config.warmup_until is None:
        return min(most, int(len(times) * config.warmup_share))
    return min(most, bisect_right(times, _start_of(config.warmup_until)))


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _repetition_span(times: Sequence[datetime]) -> timedelta:
    """Whole weeks, so that weekdays stay what they are."""
    return ((times[-1] - times[0]) // _WEEK + 1) * _WEEK


def _shift(moment: datetime, span: timedelta) -> datetime:
    """Move by the exchange's wall clock, so that a session keeps its hour across clock changes."""
    return (moment.astimezone(_NEW_YORK) + span).astimezone(UTC)


def _mirror_constants(steps: Sequence[Step]) -> dict[str, float]:
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for bar in (bar for step in steps for bar in step.bars):
        first.setdefault(bar.symbol, bar.open)
        last[bar.symbol] = bar.close
    return {symbol: first[symbol] * last[symbol] for symbol in first}


def _mirror(bar: Bar, constant: float) -> Bar:
    return replace(
        bar,
        open=round(constant / bar.open, 6),
        high=round(constant / bar.low, 6),
        low=round(constant / bar.high, 6),
        close=round(constant / bar.close, 6),
    )
