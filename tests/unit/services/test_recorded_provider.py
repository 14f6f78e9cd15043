"""The replay's pace, its end, and where it goes on."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_services.contract.errors import ConfigError
from trading_services.data_acquisition.config import DataConfig, FeedConfig
from trading_services.data_acquisition.feed import Feed, build_feed
from trading_services.data_acquisition.provider import Stand
from trading_services.data_acquisition.recorded_provider import (
    RecordedProvider,
    read_recorded_provider,
)
from trading_services.market_data.bars import Bar
from trading_services.market_data.recorded import read_series

TWO_STOCKS = DataConfig(feeds=(FeedConfig(name="stocks", symbols=("AAPL", "IBM"), timeframe="1d"),))


@cache
def stocks() -> Feed:
    """The feed of the two stocks, read once."""
    (feed,) = TWO_STOCKS.feeds
    bars = [bar for symbol in feed.symbols for bar in read_series(symbol, feed.timeframe)]
    return build_feed(feed, bars, endless=False)


def replay(speed: float) -> RecordedProvider:
    """A provider that stands at the end of its warm-up."""
    return RecordedProvider([stocks()], speed)


def test_history_is_the_whole_warmup_of_an_empty_table() -> None:
    provider = read_recorded_provider(TWO_STOCKS, 1, endless=False)

    history = provider.read_history({})

    assert len(history) == 2 * 2616
    assert [bar.timestamp for bar in history] == sorted(bar.timestamp for bar in history)


def test_the_replay_keeps_its_speed() -> None:
    provider = replay(speed=10)
    provider.poll(100.0)

    counts = [len(provider.poll(100.0 + tick * 0.25)) for tick in range(1, 41)]

    assert sum(counts) == 2 * 100


def test_after_a_pause_the_replay_goes_on_instead_of_catching_up() -> None:
    provider = replay(speed=10)
    provider.poll(100.0)

    assert len(provider.poll(1000.0)) == 2 * 10


def test_speed_zero_is_as_fast_as_possible_and_ends() -> None:
    provider = replay(speed=0)

    bars = 0
    while not provider.complete:
        bars += len(provider.poll(0.0))

    assert bars == 2 * 654
    assert provider.poll(0.0) == []


@settings(deadline=None)
@given(st.lists(st.floats(min_value=0, max_value=3), max_size=30))
def test_bars_come_once_and_in_order_whatever_the_pauses(pauses: list[float]) -> None:
    provider = replay(speed=50)
    now, bars = 0.0, list[Bar]()
    for pause in pauses:
        now += pause
        bars += provider.poll(now)

    keys = [(bar.timestamp, bar.symbol) for bar in bars]
    assert keys == sorted(set(keys))


def test_a_series_with_a_gap_is_sent_again_and_the_others_are_not() -> None:
    provider = replay(speed=0)
    stored = provider.poll(0.0)
    last = stored[-1].timestamp
    whole = 2616 + len(stored) // 2

    again = replay(speed=0)
    history = again.read_history(
        {("AAPL", "1d"): Stand(whole, last), ("IBM", "1d"): Stand(whole - 1, last)}
    )

    assert {bar.symbol for bar in history} == {"IBM"}
    assert len(history) == whole


def test_a_whole_table_needs_no_history_and_the_replay_goes_on_behind_it() -> None:
    provider = replay(speed=0)
    stored = provider.poll(0.0)
    stand = Stand(2616 + len(stored) // 2, stored[-1].timestamp)

    again = replay(speed=0)

    assert again.read_history({("AAPL", "1d"): stand, ("IBM", "1d"): stand}) == []
    assert again.poll(0.0) == provider.poll(0.0)


def test_an_unknown_symbol_is_refused_with_its_field() -> None:
    config = DataConfig(feeds=(FeedConfig(name="x", symbols=("IBM", "NOPE"), timeframe="1d"),))

    with pytest.raises(ConfigError, match=r"feeds\.0\.symbols\.1: no recorded series NOPE 1d"):
        read_recorded_provider(config, 1, endless=False)
