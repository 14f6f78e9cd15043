"""Which session of a market is open at a moment, and which opens next; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from trading_services.market_data.bars import TIMEFRAMES
from trading_services.system_controller.market_hours import Market, WeeklySession

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ONE_DAY = timedelta(days=1)

# The longest row of days without a session is far shorter (four, in September 2001).
_LOOK_AHEAD_DAYS = 14


@dataclass(frozen=True)
class Session:
    """One session; it is open at `open` and no more at `close` (UTC)."""

    day: date
    open: datetime
    close: datetime
    early_close: bool


@dataclass(frozen=True)
class MarketState:
    """A market at a moment; Unknown says that the calendar does not reach that far."""

    market: str
    at: datetime
    state: Literal["Open", "Closed", "Unknown"]
    session: Session | None
    next_open: datetime | None


def find_market_state(market: Market, moment: datetime) -> MarketState:
    """Return the state at `moment` (aware), with the session it lies in and the next opening."""
    today = moment.astimezone(ZoneInfo(market.timezone)).date()
    if not market.covers(today):
        return MarketState(market.name, moment, "Unknown", None, None)
    around = list(_sessions_from(market, today - _ONE_DAY))
    current = next((one for one in around if one.open <= moment < one.close), None)
    following = next((one.open for one in around if one.open > moment), None)
    state: Literal["Open", "Closed"] = "Open" if current else "Closed"
    return MarketState(market.name, moment, state, current, following)


def find_bar_end(market: Market, start: datetime) -> datetime:
    """Return when a bar that starts at `start` was complete: a daily one at its session's close."""
    if market.timeframe != "1d":
        return start + TIMEFRAMES[market.timeframe]
    day = start.astimezone(ZoneInfo(market.timezone)).date()
    closes = [session.close for session in _sessions_of_day(market, day)]
    return max(closes, default=start + _ONE_DAY)


def _sessions_from(market: Market, first: date) -> Iterator[Session]:
    for offset in range(_LOOK_AHEAD_DAYS):
        yield from _sessions_of_day(market, first + offset * _ONE_DAY)


def _sessions_of_day(market: Market, day: date) -> Iterator[Session]:
    if day in market.holidays or not market.covers(day):
        return
    weekly = [one for one in market.sessions if _DAYS[day.weekday()] in one.days]
    for one in sorted(weekly, key=lambda one: one.open):
        yield _build_session(market, one, day)


def _build_session(market: Market, weekly: WeeklySession, day: date) -> Session:
    zone = ZoneInfo(market.timezone)
    early = market.early_closes.get(day)
    close = early or weekly.close
    last_day = day if close > weekly.open else day + _ONE_DAY
    return Session(
        day=day,
        open=datetime.combine(day, weekly.open, zone).astimezone(UTC),
        close=datetime.combine(last_day, close, zone).astimezone(UTC),
        early_close=early is not None,
    )
