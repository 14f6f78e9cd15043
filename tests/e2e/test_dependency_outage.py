"""A required dependency that dies is reported and recovers; what depends on it is left alone."""

from demo.steps import SYSTEM
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

DATABASE = f"{SYSTEM}-timescaledb-0"


def test_a_killed_database_is_reported_and_recovers_with_its_data(
    trading: TradingCluster, example: str
) -> None:
    trading.wait_ready(example, SYSTEM)
    bars = int(trading.sql(example, DATABASE, "SELECT count(*) FROM stock_aggs")[0][0])
    uids = {name: uid for name, (uid, _) in trading.pod_identities(example).items()}
    trading.kubectl("delete", "pod", DATABASE, "-n", example, "--grace-period=0", "--force")
    eventually(
        lambda: trading.component(example, SYSTEM, "timescaledb").get("state") != "Ready",
        "the outage in the status",
        30,
        poll=0.1,
    )
    trading.wait_ready(example, SYSTEM, timeout=120)
    after = int(trading.sql(example, DATABASE, "SELECT count(*) FROM stock_aggs")[0][0])
    assert after >= bars
    now = {name: uid for name, (uid, _) in trading.pod_identities(example).items()}
    assert {name for name in uids if now[name] != uids[name]} == {DATABASE}
