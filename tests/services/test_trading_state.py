"""The trading state that the operator hands out: Halted sends nothing, ReduceOnly only exits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.market_fixtures import open_market
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import World

WORLD = World(symbols=("AAPL", "IBM"), bars=800)
ORDERS = "SELECT intent, count(*)::int FROM orders GROUP BY intent"
OPEN_POSITIONS = "SELECT count(*) FROM positions WHERE exit_time IS NULL"


@pytest.fixture
def market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path) as runs:
        runs.environment["TRADING_STATE_FILE"] = str(tmp_path / "trading_state")
        yield runs


def _hand_out(market: StrategyRuns, state: str) -> None:
    # As a kubelet does: the old or the new content is there, never half of it.
    file = Path(market.environment["TRADING_STATE_FILE"])
    new = file.with_suffix(".new")
    new.write_text(f"{state}\n")
    new.rename(file)


def _orders(market: StrategyRuns) -> dict[str, int]:
    return dict(market.database.query(ORDERS))


def _open_position(market: StrategyRuns) -> dict[str, int]:
    """Have the strategy die with one open position; return its orders."""
    _hand_out(market, "Active")
    market.run_to_death("Journal.write_entry_fill:after:1")
    assert market.database.query(OPEN_POSITIONS) == [(1,)]
    return _orders(market)


def test_reduce_only_closes_what_is_open_and_opens_nothing(market: StrategyRuns) -> None:
    before = _open_position(market)
    _hand_out(market, "ReduceOnly")
    market.run_to_end()
    assert _orders(market) == {**before, "Exit": 1}
    assert market.database.query(OPEN_POSITIONS) == [(0,)]


@pytest.mark.parametrize("state", ["Halted", "Sometimes", ""])
def test_halted_or_unknown_sends_no_order_at_all(market: StrategyRuns, state: str) -> None:
    before = _open_position(market)
    _hand_out(market, state)
    market.run_to_end()
    assert _orders(market) == before
    assert market.database.query(OPEN_POSITIONS) == [(1,)]


def test_a_running_strategy_obeys_at_once_and_a_lost_file_allows_nothing(
    market: StrategyRuns,
) -> None:
    _hand_out(market, "Active")
    service = market.start()
    market.wait_for_more(100, service)
    Path(market.environment["TRADING_STATE_FILE"]).unlink()
    told = service.wait_state("Halted")
    before = _orders(market)
    market.wait_for_end(service)
    assert "trading state unknown" in told["detail"]["halted"]
    assert before["Entry"] > 0
    assert _orders(market) == before
    assert service.stop() == 0


def test_a_working_entry_is_taken_back_and_trading_goes_on_when_allowed_again(
    market: StrategyRuns,
) -> None:
    _hand_out(market, "Active")
    market.leave_order_working()
    _hand_out(market, "ReduceOnly")
    service = market.start()
    service.wait_for("/positions", lambda each: each.json()["complete"])
    service.wait_for("/positions", lambda each: each.json()["workingOrders"] == 0)
    assert market.database.query("SELECT intent, state FROM orders") == [("Entry", "Cancelled")]
    service.wait_state("Halted")
    _hand_out(market, "Active")
    service.wait_state("Running")
    assert service.stop() == 0
