"""What the strategy did live on a replay is what the backtest does on the same bars."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.market_fixtures import open_market
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import SCHEMA, World
from trading_services.backtesting.performance import build_performance
from trading_services.backtesting.simulator import BacktestResult, Setup, run_backtest
from trading_services.model_training.registry import read_registry
from trading_services.trading_strategy.bar_reader import read_new_bars
from trading_services.trading_strategy.book import Market
from trading_services.trading_strategy.config import StrategyConfig
from trading_services.trading_strategy.decisions import Trader
from trading_services.trading_strategy.loading import load_model
from trading_services.trading_strategy.service import build_costs

WORLD = World(symbols=("IBM", "MSFT"), bars=1100)


@pytest.fixture
def market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, WORLD, tmp_path) as runs:
        runs.run_to_end()
        yield runs


def _backtest(runs: StrategyRuns, market: Market) -> BacktestResult:
    facts = read_registry(runs.database).models[0]
    model = load_model(facts, runs.models_dir, SCHEMA.digest)
    config = StrategyConfig()
    bars = read_new_bars(runs.database, market, SCHEMA.names, facts.usable_after, WORLD.bars)
    setup = Setup(
        trader=Trader(runs.environment.get("TRADING_SYSTEM", "kill-test"), config.name),
        rules=config.rules[market.timeframe],
        costs=build_costs(config)[market.timeframe],
        score=lambda features: model.score([features]),
    )
    return run_backtest(market, bars, setup)


@pytest.mark.acceptance("A21", "A72")
def test_orders_fills_profits_and_scores_of_a_replay_equal_the_backtest(
    market: StrategyRuns,
) -> None:
    for symbol in WORLD.symbols:
        result = _backtest(market, Market(symbol, WORLD.timeframe))
        fills = {
            (each.fill.client_order_id, each.fill.price, each.fill.shares, each.fill.cost)
            for each in result.executions
        }
        live = market.database.query(
            "SELECT client_order_id, price, f.shares, cost FROM fills f "
            "JOIN orders USING (client_order_id) WHERE symbol = %s",
            (symbol,),
        )
        assert len(live) > 20
        assert fills == set(live)
        decided = market.database.query(
            "SELECT action, strength FROM signals WHERE symbol = %s ORDER BY bar_time", (symbol,)
        )
        assert [(each.action, each.strength) for each in result.decisions] == decided
        profit = market.database.query(
            "SELECT sum(profit_loss) FROM positions WHERE symbol = %s AND status = 'Closed'",
            (symbol,),
        )
        assert result.book.realised == profit[0][0]
        assert build_performance(result).round_trips > 10
