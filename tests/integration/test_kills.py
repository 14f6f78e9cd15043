"""The operator may be killed between any two writes; another replica goes on."""

import random
import time

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_chain, build_service, build_system

SEED = 20
KILLS = 6


def test_killed_at_random_moments_it_still_converges_without_duplicates(
    namespace: Namespace, operators: Operators
) -> None:
    services = [build_service(f"s{number}", "db") for number in range(6)]
    chain = build_chain()
    chain["spec"]["services"] += services
    moments = random.Random(SEED)
    namespace.create("tradingsystems", chain)
    for _ in range(KILLS):
        replica = operators.start()
        eventually(replica.is_leading, 30, pause=0.02)
        time.sleep(moments.uniform(0.0, 0.25))
        replica.kill()
        namespace.delete("leases", "trading-operator")  # else each kill costs a Lease's time

    operators.start_leading()
    eventually(lambda: namespace.is_ready("chain"), 60)
    creations = [each for each in operators.writes() if each.startswith("create ")]
    names = [each for each in creations if " events/" not in each]
    assert len(namespace.list("deployments")) == 7
    assert len(namespace.list("statefulsets")) == 2
    assert len(namespace.list("services")) == 9
    assert namespace.names("secrets") == {"chain-db-credentials"}
    # A POST whose answer was lost may be sent again, and is refused; nothing is made twice.
    assert len(names) >= 9 + 9 + 1
    settled = operators.settle(2.0)
    assert operators.settle() == settled


def test_a_killed_leader_is_followed_by_the_standby(
    namespace: Namespace, operators: Operators
) -> None:
    first = operators.start_leading()
    second = operators.start()
    eventually(second.is_ready)
    assert not second.is_leading()

    first.kill()
    namespace.create("tradingsystems", build_system("one", [build_service("api")]))
    eventually(second.is_leading)
    eventually(lambda: namespace.is_ready("one"))


def test_a_stopped_leader_hands_over_at_once(namespace: Namespace, operators: Operators) -> None:
    # So long a Lease that only its release can make way for the second replica in time.
    first = operators.start_leading(LEASE_SECONDS="60")
    second = operators.start(LEASE_SECONDS="3")
    eventually(second.is_ready)
    assert not second.is_leading()
    assert first.stop() == 0
    eventually(second.is_leading, 10)
    lease = namespace.get("leases", "trading-operator")
    assert lease["spec"]["holderIdentity"].startswith("replica-1_")
