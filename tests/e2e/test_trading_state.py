"""A halt reaches programs that run, within seconds and without a restart."""

import time
from collections.abc import Iterator

import pytest

from demo.steps import SYSTEM
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

STRATEGY = f"{SYSTEM}-trading-strategy-0"
PORT = 8004
# A kubelet alone looks at mounted files once a minute or later.
SECONDS = 20.0


def set_state(trading: TradingCluster, namespace: str, state: str | None) -> None:
    """Change the system's trading state; None takes the field away."""
    value = "null" if state is None else f'"{state}"'
    patch = f'{{"spec": {{"tradingState": {value}}}}}'
    trading.kubectl(
        "patch", "tradingsystem", SYSTEM, "-n", namespace, "--type=merge", f"--patch={patch}"
    )


def read_file(trading: TradingCluster, namespace: str) -> str:
    """Return what the file in the strategy's pod says."""
    script = 'cat "$TRADING_STATE_FILE"'
    said = trading.kubectl("exec", "-n", namespace, STRATEGY, "--", "sh", "-c", script)
    return said.strip()


def is_halted(trading: TradingCluster, namespace: str) -> bool:
    """Tell whether the strategy itself says that it is halted."""
    metrics = trading.get_http(namespace, STRATEGY, PORT, "/metrics")
    return "\ntrading_halted 1.0" in metrics


@pytest.fixture
def trades(trading: TradingCluster, example: str) -> Iterator[str]:
    """The namespace of the example, which is Ready and may send orders, also afterwards."""
    trading.wait_ready(example, SYSTEM)
    assert read_file(trading, example) == "Active"
    yield example
    set_state(trading, example, None)
    eventually(lambda: read_file(trading, example) == "Active", "the file Active again", 90)


@pytest.mark.parametrize("state", ["Halted", "ReduceOnly"])
def test_a_trading_state_is_seen_within_seconds_by_the_same_pods(
    trading: TradingCluster, trades: str, state: str
) -> None:
    before = trading.pod_identities(trades)
    started = time.monotonic()
    set_state(trading, trades, state)
    eventually(lambda: read_file(trading, trades) == state, f"the file {state}", SECONDS)
    eventually(lambda: is_halted(trading, trades), "the strategy says that it is halted", SECONDS)
    assert time.monotonic() - started < SECONDS
    assert trading.system(trades, SYSTEM)["status"]["tradingState"] == state
    assert trading.pod_identities(trades) == before

    set_state(trading, trades, "Active")
    eventually(lambda: not is_halted(trading, trades), "the strategy trades again", SECONDS)
    assert trading.pod_identities(trades) == before
