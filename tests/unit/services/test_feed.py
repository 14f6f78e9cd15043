"""A feed is a sequence of time steps, ending or endless, that can be entered anywhere."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_services.data_acquisition.config import FeedConfig
from trading_services.data_acquisition.feed import Feed, build_feed
from trading_services.market_data.recorded import read_series

STOCKS = FeedConfig(name="stocks", symbols=("AAPL", "IBM"), timeframe="1d", warmup_share=0.8)


@cache
def stocks(*, endless: bool) -> Feed:
    """The feed of two recorded stocks."""
    bars = [bar for symbol in STOCKS.symbols for bar in read_series(symbol, "1d")]
    return build_feed(STOCKS, bars, endless=endless)


def test_a_step_holds_every_symbols_bar_of_its_moment() -> None:
    step = stocks(endless=False).step(0)

    assert [bar.symbol for bar in step.bars] == ["AAPL", "IBM"]
    assert {bar.timestamp for bar in step.bars} == {step.timestamp}


def test_the_warmup_is_the_share_of_the_steps() -> None:
    assert stocks(endless=False).warmup == int(3270 * 0.8)


def test_the_warmup_may_end_at_a_date() -> None:
    config = FeedConfig(name="x", symbols=("IBM",), timeframe="1d", warmup_until=date(2012, 1, 1))
    feed = build_feed(config, read_series("IBM", "1d"), endless=False)

    assert feed.step(feed.warmup - 1).timestamp.date() == date(2011, 12, 30)
    assert feed.step(feed.warmup).timestamp.date() == date(2012, 1, 3)


def test_a_feed_replays_one_step_at_least() -> None:
    config = FeedConfig(name="x", symbols=("IBM",), timeframe="1d", warmup_until=date(2030, 1, 1))
    feed = build_feed(config, read_series("IBM", "1d"), endless=False)

    assert feed.warmup == feed.recorded - 1


def test_an_ending_feed_has_nothing_beyond_the_record() -> None:
    with pytest.raises(IndexError):
        stocks(endless=False).step(3270)


def test_a_new_table_is_entered_at_the_warmups_end() -> None:
    assert stocks(endless=False).position_after(None) == stocks(endless=False).warmup


@given(index=st.integers(min_value=2616, max_value=8000), endless=st.booleans())
def test_entering_after_a_step_gives_the_next_one(index: int, endless: bool) -> None:
    feed = stocks(endless=endless)
    last = index if endless else min(index, feed.recorded - 1)

    assert feed.position_after(feed.step(last).timestamp) == last + 1


def test_an_endless_feed_goes_on_in_time_with_bounded_prices_and_no_jump() -> None:
    feed = stocks(endless=True)
    steps = [feed.step(index) for index in range(feed.warmup, feed.warmup + 4 * 654)]
    recorded = [step.bars[0] for step in steps[:654]]
    apple = [step.bars[0] for step in steps]

    times = [step.timestamp for step in steps]
    assert times == sorted(set(times))
    highest = max(bar.high for bar in recorded)
    lowest = min(bar.low for bar in recorded)
    bound = recorded[0].open * recorded[-1].close
    assert max(bar.high for bar in apple) <= max(highest, bound / lowest) + 1e-6
    assert min(bar.low for bar in apple) >= min(lowest, bound / highest) - 1e-6
    for seam in (654, 1308, 1962):
        assert apple[seam].open == pytest.approx(apple[seam - 1].close, rel=1e-5)


def test_repetitions_keep_weekday_and_say_what_they_are() -> None:
    feed = stocks(endless=True)
    first = feed.step(feed.warmup)
    again = feed.step(feed.recorded)

    assert again.timestamp.weekday() == first.timestamp.weekday()
    assert again.timestamp > first.timestamp + timedelta(days=900)
    assert again.bars[0].source == "recorded:bokeh_sampledata:repetition"
    assert first.bars[0].source == "recorded:bokeh_sampledata"


def test_a_table_beyond_an_ending_record_is_at_the_end() -> None:
    far = datetime(2100, 1, 1, tzinfo=UTC)

    assert stocks(endless=False).position_after(far) == 3270
