"""Drain: nothing is sent once it was asked, and it works while the component is paused."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.market_fixtures import open_market
from services.service_process import ServiceProcess
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import World

WORLD = World(symbols=("AAPL", "IBM"), bars=800)

PAUSE = "UPDATE component_control SET desired_state = 'Paused' WHERE component = 'trading-strategy'"


@pytest.fixture
def market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path) as runs:
        yield runs


def test_an_entry_that_was_not_sent_is_not_sent_after_a_drain_was_asked(
    market: StrategyRuns,
) -> None:
    market.run_to_death("PaperBroker.submit:before:1")
    assert _read_orders(market) == [("Entry", "Sent")]
    holder = market.database.connect()
    holder.cursor().execute("LOCK TABLE paper_broker.orders IN ACCESS EXCLUSIVE MODE")
    service = market.start()
    service.wait_for("/livez", lambda answer: answer.status_code == 200)
    answers: list[Any] = []
    drain = threading.Thread(target=lambda: answers.append(service.post("/drain", {}).json()))
    drain.start()
    service.wait_state("Draining")
    holder.rollback()
    holder.close()
    drain.join()
    service.stop()
    assert answers[0]["drained"] is True
    assert _read_orders(market) == [("Entry", "Cancelled")]
    assert market.database.query("SELECT count(*) FROM paper_broker.orders") == [(0,)]


@pytest.mark.parametrize("path", ["/drain", "/halt"])
def test_while_paused_working_entries_are_taken_back_and_nothing_is_decided(
    market: StrategyRuns, path: str
) -> None:
    market.leave_order_working()
    market.database.execute(PAUSE)
    decided = market.count_decided()
    service = market.start()
    service.wait_state("Paused")
    _wait_reconciled(service)
    assert _read_orders(market) == [("Entry", "Accepted")]
    answer = service.post(path, {})
    service.wait_for("/positions", lambda each: each.json()["workingOrders"] == 0)
    service.stop()
    assert answer.status_code == 200
    assert _read_orders(market) == [("Entry", "Cancelled")]
    assert market.count_decided() == decided


def _wait_reconciled(service: ServiceProcess) -> None:
    service.wait_for("/positions", lambda answer: answer.json()["complete"])


def _read_orders(market: StrategyRuns) -> list[tuple[str, str]]:
    return market.database.query("SELECT intent, state FROM orders")
