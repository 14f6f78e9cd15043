"""The example trades recorded market data: every step left its rows in TimescaleDB."""

import json
from decimal import Decimal

import pytest

from demo.steps import SYSTEM, count_fills, read_report
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

DATABASE = f"{SYSTEM}-timescaledb-0"
STRATEGY = f"{SYSTEM}-trading-strategy-0"


def count(trading: TradingCluster, namespace: str, query: str) -> int:
    """Return the single number that a query yields."""
    return int(trading.sql(namespace, DATABASE, query)[0][0])


@pytest.mark.acceptance("A02", "A07", "A67", "A68", "A69")
def test_recorded_bars_arrive_in_the_hypertable(trading: TradingCluster, example: str) -> None:
    symbols = {
        row[0] for row in trading.sql(example, DATABASE, "SELECT DISTINCT symbol FROM stock_aggs")
    }
    assert {"AAPL", "IBM", "MSFT"} <= symbols
    assert any("EUR" in symbol for symbol in symbols)
    before = count(trading, example, "SELECT count(*) FROM stock_aggs")
    assert before > 1000
    assert count(trading, example, "SELECT count(*) FROM stock_aggs WHERE high < low") == 0
    hypertables = trading.sql(
        example, DATABASE, "SELECT hypertable_name FROM timescaledb_information.hypertables"
    )
    assert {"stock_aggs", "features"} <= {row[0] for row in hypertables}
    extensions = {
        row[0] for row in trading.sql(example, DATABASE, "SELECT extname FROM pg_extension")
    }
    assert {"timescaledb", "pg_stat_statements"} <= extensions


@pytest.mark.acceptance("A19", "A76")
def test_the_init_script_ran_and_runs_again_without_harm(
    trading: TradingCluster, example: str
) -> None:
    scripts = "/docker-entrypoint-initdb.d"
    listing = trading.kubectl("exec", "-n", example, DATABASE, "--", "ls", scripts)
    assert "init.sql" in listing
    psql = f"psql -v ON_ERROR_STOP=1 -U trading -d trading -f {scripts}/init.sql"
    trading.kubectl("exec", "-n", example, DATABASE, "--", "sh", "-c", psql)


@pytest.mark.acceptance("A03", "A70", "A71")
def test_features_follow_the_bars(trading: TradingCluster, example: str) -> None:
    assert count(trading, example, "SELECT count(DISTINCT feature_name) FROM features") >= 5
    orphans = """SELECT count(*) FROM features f WHERE NOT EXISTS (SELECT 1 FROM stock_aggs s
        WHERE s.symbol = f.symbol AND s.timestamp = f.timestamp AND s.timeframe = f.timeframe)"""
    assert count(trading, example, orphans) == 0


@pytest.mark.acceptance("A04", "A49", "A74", "A75")
def test_the_model_is_registered_with_metrics_and_its_file_has_the_digest(
    trading: TradingCluster, example: str
) -> None:
    query = (
        "SELECT file_path, metrics::text FROM model_registry "
        "WHERE status = 'active' ORDER BY trained_at DESC LIMIT 1"
    )
    path, text = trading.sql(example, DATABASE, query)[0]
    metrics = json.loads(text)
    digest = trading.kubectl("exec", "-n", example, STRATEGY, "--", "sha256sum", path).split()[0]
    assert digest in text
    assert metrics


@pytest.mark.acceptance("A05", "A72", "A73")
def test_the_strategy_sends_orders_that_fill_and_become_positions(
    trading: TradingCluster, example: str
) -> None:
    eventually(lambda: count_fills(trading.tools) >= 2, "two fills", 120)
    [summary] = json.loads(read_report(trading.tools, "--json"))["summaries"]
    assert summary["signals"] > 0
    assert summary["orders"] >= summary["fills"] > 0
    assert summary["positions_open"] + summary["positions_closed"] > 0
    assert Decimal(summary["costs"]) > 0
    duplicates = """SELECT count(*) FROM (SELECT client_order_id FROM paper_broker.orders
        GROUP BY client_order_id HAVING count(*) > 1) AS twice"""
    assert count(trading, example, duplicates) == 0


@pytest.mark.acceptance("A12")
def test_positions_are_served_with_completeness(trading: TradingCluster, example: str) -> None:
    answer = json.loads(trading.get_http(example, STRATEGY, 8004, "/positions"))
    assert answer["complete"] is True
    assert "asOf" in answer


def test_the_report_reads_well(trading: TradingCluster, example: str) -> None:
    report = read_report(trading.tools)
    for word in ("signals", "orders", "fills", "positions"):
        assert word in report.lower()
