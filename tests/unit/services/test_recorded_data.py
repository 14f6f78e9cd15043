"""The recorded series: all there, sound, adjusted, on the right clock."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from trading_services.market_data.adjust import adjust
from trading_services.market_data.bars import Bar, find_fault
from trading_services.market_data.recorded import RECORDED, RecordedDataError, read_series

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.acceptance("A02")
@pytest.mark.parametrize(
    ("symbol", "timeframe", "count", "first", "last"),
    [
        ("AAPL", "1d", 3270, "2000-03-01T05:00:00+00:00", "2013-03-01T05:00:00+00:00"),
        ("IBM", "1d", 3270, "2000-03-01T05:00:00+00:00", "2013-03-01T05:00:00+00:00"),
        ("MSFT", "1d", 3270, "2000-03-01T05:00:00+00:00", "2013-03-01T05:00:00+00:00"),
        ("EURUSD", "1h", 6225, "2017-01-01T22:00:00+00:00", "2017-12-29T21:00:00+00:00"),
    ],
)
def test_a_series_is_whole(symbol: str, timeframe: str, count: int, first: str, last: str) -> None:
    bars = read_series(symbol, timeframe)

    assert len(bars) == count
    assert bars[0].timestamp == datetime.fromisoformat(first)
    assert bars[-1].timestamp == datetime.fromisoformat(last)


@pytest.mark.parametrize("series", sorted(RECORDED))
def test_a_series_is_sound_and_in_order(series: tuple[str, str]) -> None:
    bars = read_series(*series)

    times = [bar.timestamp for bar in bars]
    assert times == sorted(set(times))
    assert [bar for bar in bars if find_fault(bar)] == []


@pytest.mark.parametrize(
    ("symbol", "split_day"),
    [("AAPL", "2000-06-21"), ("AAPL", "2005-02-28"), ("MSFT", "2003-02-18")],
)
def test_a_split_is_no_jump(symbol: str, split_day: str) -> None:
    bars = read_series(symbol, "1d")
    days = [bar.timestamp.astimezone(NEW_YORK).date().isoformat() for bar in bars]
    at = days.index(split_day)

    assert abs(bars[at].close / bars[at - 1].close - 1) < 0.1
    assert 0.2 < bars[at].volume / bars[at - 1].volume < 5


def test_the_last_bar_is_as_traded() -> None:
    last = read_series("AAPL", "1d")[-1]

    assert (last.open, last.close, last.volume) == (438.0, 430.47, 19730300)


def test_daily_bars_start_at_midnight_in_new_york() -> None:
    hours = {bar.timestamp.astimezone(NEW_YORK).hour for bar in read_series("IBM", "1d")}

    assert hours == {0}


def test_the_hourly_week_ends_when_new_york_does() -> None:
    bars = read_series("EURUSD", "1h")
    fridays = [bar.timestamp.astimezone(NEW_YORK) for bar in bars]

    assert {moment.hour for moment in fridays if moment.weekday() == 4} == set(range(17))


def test_dividends_move_prices_and_splits_move_volume_too() -> None:
    def bar(day: int, close: float, volume: float) -> Bar:
        return Bar(
            "X",
            datetime(2012, 1, day, tzinfo=UTC),
            close,
            close,
            close,
            close,
            volume,
            "1d",
            "test",
        )

    bars = [bar(2, 100, 10), bar(3, 50, 20), bar(4, 49, 20)]
    adjusted = adjust(bars, [49.0, 49.0, 49.0])

    assert [one.close for one in adjusted] == [49.0, 49.0, 49.0]
    assert [one.volume for one in adjusted] == [20, 20, 20]


def test_an_unknown_series_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecordedDataError, match=r"no recorded series TSLA 1d; there are: AAPL 1d"):
        read_series("TSLA", "1d")


def test_the_known_closure_of_2001_has_no_bars() -> None:
    days = {bar.timestamp.astimezone(NEW_YORK).date() for bar in read_series("IBM", "1d")}

    assert date(2001, 9, 10) in days
    assert date(2001, 9, 17) in days
    assert not {date(2001, 9, day) for day in range(11, 17)} & days
