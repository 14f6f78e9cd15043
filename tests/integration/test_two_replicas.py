"""Of two replicas one writes at a time, whatever happens to it, and the other takes over in time.

The moments are drawn from the day, which a failure names: TAKEOVER_SEED repeats another day's,
TAKEOVER_ROUNDS asks for more than one round of each fault.
"""

import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.replica_pair import Fault, Pair, Replica, now, running_pair
from integration.write_record import out_of_turn

ROUNDS = int(os.environ.get("TAKEOVER_ROUNDS", "1"))
SEED = int(os.environ.get("TAKEOVER_SEED", datetime.now(UTC).date().toordinal()))
SHORT_LEASE, DEFAULT_LEASE = 3.0, 15.0
# A Lease, the pause between two looks at it, and what a busy machine needs.
SHORT_LIMIT, DEFAULT_LIMIT = 12.0, 20.0


@contextmanager
def killed(leader: Replica) -> Iterator[None]:
    """It has no say in its end."""
    leader.process.kill()
    yield


@contextmanager
def stopped_and_woken(leader: Replica) -> Iterator[None]:
    """It stands still for longer than its Lease, and goes on as if nothing had been."""
    leader.process.process.send_signal(signal.SIGSTOP)
    try:
        yield
        time.sleep(1)
    finally:
        leader.process.process.send_signal(signal.SIGCONT)


FAULTS: dict[str, Fault] = {
    "killed": killed,
    "stopped-and-woken": stopped_and_woken,
    "refused": lambda leader: leader.proxy.refusal(),
    "cut-off": lambda leader: leader.proxy.swallowing(),
    "answered-503": lambda leader: leader.proxy.unavailable(),
}


def repeat(pair: Pair, fault: Fault, limit: float) -> None:
    """Strike the leader again and again; print how long the take-overs took."""
    moments, times = random.Random(SEED), []
    for _ in range(ROUNDS):
        wait = moments.uniform(0, pair.lease_seconds / 3)
        seconds, writes = pair.strike(fault, wait, limit + 20)
        assert {pair.leader.name, pair.standby.name} <= {each.replica for each in writes}
        assert out_of_turn(writes, pair.terms()) == [], f"seed {SEED}"
        times.append(seconds)
        pair.swap()
    middle = statistics.median(times)
    sys.stderr.write(
        f"seed {SEED}: {min(times):.1f} / {middle:.1f} / {max(times):.1f} s, {len(times)} rounds\n"
    )
    assert max(times) <= limit


@pytest.mark.acceptance("B58")
@pytest.mark.parametrize("name", FAULTS)
def test_writes_of_two_replicas_never_overlap(
    name: str, namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    with running_pair(namespace, operators, tmp_path, SHORT_LEASE) as pair:
        repeat(pair, FAULTS[name], SHORT_LIMIT)


@pytest.mark.acceptance("B58")
def test_with_the_default_lease_the_standby_takes_over_within_twenty_seconds(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    with running_pair(namespace, operators, tmp_path, DEFAULT_LEASE) as pair:
        repeat(pair, killed, DEFAULT_LIMIT)


def test_what_a_network_held_back_changes_nothing_when_it_arrives_late(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    with running_pair(namespace, operators, tmp_path, SHORT_LEASE) as pair:
        _, writes = pair.strike(lambda leader: leader.proxy.silence(), 0, SHORT_LIMIT)
        # What was sent in time and came late is refused, for it names the version that was seen.
        # A creation has none: it makes what the next leader finds, and takes over or prunes.
        done = [each for each in writes if each.succeeded and each.verb != "create"]
        assert out_of_turn(done, pair.terms()) == []


def test_a_deleted_lease_makes_no_second_leader(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    moments = random.Random(SEED)
    with running_pair(namespace, operators, tmp_path, SHORT_LEASE) as pair:
        began = now()
        for _ in range(2 + ROUNDS):
            time.sleep(moments.uniform(0.5, 2))
            namespace.delete("leases", "trading-operator")
            eventually(lambda: namespace.get("leases", "trading-operator"), SHORT_LEASE)
            lease = namespace.get("leases", "trading-operator")
            assert lease["spec"]["holderIdentity"].startswith(pair.leader.name), f"seed {SEED}"
        time.sleep(SHORT_LEASE)
        assert {each.replica for each in pair.writes_since(began)} == {pair.leader.name}
        # On a busy machine a leader may lose so short a Lease and take it again itself.
        assert {name for _, name in pair.terms()} == {pair.leader.name}, f"seed {SEED}"


def test_after_an_outage_of_the_api_server_one_of_them_goes_on(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    with running_pair(namespace, operators, tmp_path, SHORT_LEASE) as pair:
        began, replicas = now(), (pair.leader, pair.standby)
        time.sleep(1)
        with ExitStack() as outage:
            for replica in replicas:
                outage.enter_context(replica.proxy.refusal())
            time.sleep(2 * SHORT_LEASE)
            assert not any(replica.process.is_leading() for replica in replicas)
            during = now()
        eventually(lambda: pair.writes_since(during))
        time.sleep(SHORT_LEASE)
        assert out_of_turn(pair.writes_since(began), pair.terms()) == []
