"""kill -9 of the strategy in its pod leaves no duplicate and no lost order."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from demo.steps import SYSTEM, count_fills
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

STRATEGY = f"{SYSTEM}-trading-strategy-0"
DATABASE = f"{SYSTEM}-timescaledb-0"
KILLS = 2


def restarts(trading: TradingCluster, namespace: str) -> int:
    """Return how often the strategy's container was restarted."""
    return trading.pod_identities(namespace)[STRATEGY][1]


def has_restarted_since(trading: TradingCluster, namespace: str, before: int) -> Callable[[], bool]:
    """Build the question whether the strategy's container was restarted again."""
    return lambda: restarts(trading, namespace) > before


def test_orders_survive_kill_minus_nine(trading: TradingCluster, example: str) -> None:
    for _ in range(KILLS):
        trading.wait_ready(example, SYSTEM)
        before = restarts(trading, example)
        uid = trading.pods(example, "trading-strategy")[0]["metadata"]["uid"]
        for pid in processes_of(uid, "trading-strategy"):
            os.kill(pid, signal.SIGKILL)
        eventually(has_restarted_since(trading, example, before), "a restart", 60)
        assert trading.pods(example, "trading-strategy")[0]["metadata"]["uid"] == uid
    trading.wait_ready(example, SYSTEM)
    mismatch = """SELECT count(*) FROM orders o FULL JOIN paper_broker.orders b
        USING (client_order_id) WHERE o.client_order_id IS NULL
        OR (b.client_order_id IS NULL AND o.state IN ('Sent', 'Accepted', 'Filled'))"""
    eventually(
        lambda: trading.sql(example, DATABASE, mismatch)[0][0] == "0",
        "journal and venue agree",
        30,
    )
    assert count_fills(trading.tools) > 0


def processes_of(pod_uid: str, program: str) -> list[int]:
    """Return this machine's ids of the processes of a pod whose command names `program`.

    The node's kubelet runs on this machine; a process cannot be killed from inside its own pod,
    because the kernel shields the first process of a pid namespace.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            in_pod = pod_uid in (folder / "cgroup").read_text()
            command = (folder / "cmdline").read_text()
        except OSError:
            continue  # it ended meanwhile
        if in_pod and program in command:
            found.append(int(folder.name))
    assert found, f"no process of pod {pod_uid} runs {program}"
    return found
