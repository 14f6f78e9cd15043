"""Two strategies at once: the one whose token is old can neither journal nor send."""

import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from services.market_fixtures import open_market
from services.order_trace import find_differences, read_trace
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import World
from trading_services.paper_broker.fills import CostModel
from trading_services.paper_broker.venue import PaperBroker
from trading_services.trading_strategy.broker import BrokerError

WORLD = World(symbols=("AAPL", "MSFT"), bars=900)


@pytest.fixture
def market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path / "disturbed") as runs:
        yield runs


@pytest.fixture
def undisturbed(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path / "undisturbed") as runs:
        runs.run_to_end()
        yield runs


@pytest.mark.acceptance("A05")
@pytest.mark.parametrize(
    "moment",
    [
        "Journal.write_decision:before:150",
        "Journal.write_state:before:7",
        "PaperBroker.submit:before:4",
        "PaperBroker.submit:after:4",
    ],
)
def test_a_frozen_writer_that_wakes_up_after_a_takeover_changes_nothing(
    market: StrategyRuns, undisturbed: StrategyRuns, moment: str
) -> None:
    frozen = market.start(freeze=moment)
    _wait_until_stopped(frozen.process.pid)
    second = market.start()
    market.wait_for_end(second)
    frozen.process.send_signal(signal.SIGCONT)
    fenced = frozen.wait_state("Fenced")
    second.stop()
    frozen.stop()
    assert "holds the fence" in str(fenced["reasons"]) or "claimed" in str(fenced["reasons"])
    wanted, actual = read_trace(undisturbed.database), read_trace(market.database)
    assert find_differences(wanted, actual) == []
    assert actual.rows == wanted.rows


def test_the_venue_refuses_a_claim_with_an_older_token(market: StrategyRuns) -> None:
    def build() -> PaperBroker:
        return PaperBroker(market.database.connect, "account", {"1d": CostModel(Decimal(1))})

    older, newer = build(), build()
    newer.claim(2)
    with pytest.raises(BrokerError, match="token above 1"):
        older.claim(1)
    older.close()
    newer.close()


def _wait_until_stopped(pid: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if state == "T":
            return
        time.sleep(0.02)
    raise AssertionError("the strategy did not reach the point at which it freezes")
