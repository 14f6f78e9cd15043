"""Two strategies at once: the one whose token is old can neither journal nor send."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import httpx
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
    market.wait_until_frozen(frozen)
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


def test_a_frozen_drained_writer_cancels_nothing_of_the_one_that_took_over(
    market: StrategyRuns,
) -> None:
    order = market.leave_order_working()
    frozen = market.start(freeze="PaperBroker.cancel:before:1")
    frozen.wait_for("/readyz", lambda answer: "reconciled" not in answer.json()["reasons"])
    with suppress(httpx.TimeoutException):
        # It freezes with this very request open.
        httpx.post(f"{frozen.base_url}/drain", json={"mode": "CancelOrders"}, timeout=2)
    market.wait_until_frozen(frozen)
    second = market.start()
    second.wait_for("/readyz", lambda answer: "reconciled" not in answer.json()["reasons"])
    frozen.process.send_signal(signal.SIGCONT)
    fenced = frozen.wait_state("Fenced")
    second.stop()
    frozen.stop()
    assert "is not claimed with token" in fenced["reasons"]["fence"]
    placed = market.database.query(
        "SELECT client_order_id, p.status, j.state FROM paper_broker.orders p "
        "JOIN orders j USING (client_order_id)"
    )
    assert placed == [(order, "Accepted", "Accepted")]
