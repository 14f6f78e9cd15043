"""Market sessions: hours, holidays, early closes, clock changes, and the calendar's end."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_services.market_data.recorded import read_series
from trading_services.system_controller.market_hours import Market, read_market_hours
from trading_services.system_controller.sessions import find_bar_end, find_market_state

STOCKS, FOREX = read_market_hours(Path("/nonexistent")).markets
NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.acceptance("A15")
@pytest.mark.parametrize(
    ("moment", "state", "next_open"),
    [
        ("2026-11-02T14:29", "Closed", "2026-11-02T14:30"),
        ("2026-11-02T14:30", "Open", "2026-11-03T14:30"),
        ("2026-11-02T20:59", "Open", "2026-11-03T14:30"),
        ("2026-11-02T21:00", "Closed", "2026-11-03T14:30"),
        # The last day of summer time opens an hour earlier in UTC.
        ("2026-10-30T13:30", "Open", "2026-11-02T14:30"),
        # Thanksgiving, the early close after it, and the weekend.
        ("2026-11-26T16:00", "Closed", "2026-11-27T14:30"),
        ("2026-11-27T17:59", "Open", "2026-11-30T14:30"),
        ("2026-11-27T18:00", "Closed", "2026-11-30T14:30"),
        ("2026-11-28T16:00", "Closed", "2026-11-30T14:30"),
        # Four days without a session in September 2001.
        ("2001-09-11T15:00", "Closed", "2001-09-17T13:30"),
    ],
)
def test_the_stock_market_is_open_when_new_york_is(moment: str, state: str, next_open: str) -> None:
    found = find_market_state(STOCKS, at(moment))

    assert (found.state, found.next_open) == (state, at(next_open))


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        ("2017-06-04T20:59", "Closed"),
        ("2017-06-04T21:00", "Open"),
        ("2017-06-07T03:00", "Open"),
        ("2017-06-09T20:59", "Open"),
        ("2017-06-09T21:00", "Closed"),
        ("2017-01-06T21:59", "Open"),
        ("2017-12-25T07:59", "Open"),
        ("2017-12-25T08:00", "Closed"),
    ],
)
def test_the_forex_week_runs_from_sunday_to_friday_evening(moment: str, state: str) -> None:
    assert find_market_state(FOREX, at(moment)).state == state


def test_beyond_the_calendar_the_state_is_unknown_not_guessed() -> None:
    found = find_market_state(STOCKS, at("2031-05-05T15:00"))

    assert (found.state, found.session, found.next_open) == ("Unknown", None, None)


def test_an_early_close_is_said_so() -> None:
    session = find_market_state(STOCKS, at("2026-11-27T16:00")).session

    assert session is not None
    assert session.early_close


def test_the_record_has_a_bar_for_exactly_each_session_day() -> None:
    recorded = [bar.timestamp.astimezone(NEW_YORK).date() for bar in read_series("IBM", "1d")]
    day, sessions = recorded[0], list[date]()
    while day <= recorded[-1]:
        noon = datetime.combine(day, datetime.min.time(), NEW_YORK) + timedelta(hours=12)
        if find_market_state(STOCKS, noon).state == "Open":
            sessions.append(day)
        day += timedelta(days=1)

    assert sessions == recorded


def test_every_recorded_hour_lies_in_a_forex_session() -> None:
    outside = [
        bar.timestamp
        for bar in read_series("EURUSD", "1h")
        if find_market_state(FOREX, bar.timestamp).state != "Open"
    ]

    assert outside == []


@given(
    market=st.sampled_from([STOCKS, FOREX]),
    moment=st.datetimes(
        min_value=datetime(2026, 1, 5),  # noqa: DTZ001
        max_value=datetime(2027, 12, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
)
def test_a_session_contains_its_moment_and_the_next_lies_ahead(
    market: Market, moment: datetime
) -> None:
    found = find_market_state(market, moment)

    assert (found.session is not None) == (found.state == "Open")
    if found.session is not None:
        assert found.session.open <= moment < found.session.close
    assert found.next_open is not None
    assert found.next_open > moment
    assert find_market_state(market, found.next_open).state == "Open"


def test_a_daily_bar_is_complete_at_its_sessions_close() -> None:
    assert find_bar_end(STOCKS, at("2012-07-03T04:00")) == at("2012-07-03T17:00")
    assert find_bar_end(STOCKS, at("2012-07-05T04:00")) == at("2012-07-05T20:00")


def test_an_hourly_bar_is_complete_after_its_hour() -> None:
    assert find_bar_end(FOREX, at("2017-06-07T03:00")) == at("2017-06-07T04:00")
