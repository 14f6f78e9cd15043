"""The operator may be killed between any two writes about a backup: it is taken once, and told."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from integration.backups import OPERATOR, build_backup, build_restore, end_pod, succeeded
from integration.kube_client import Namespace, eventually
from integration.operator_process import OperatorProcess, Operators
from integration.systems import build_datastore, build_service, build_system

SEED = 21
KILLS = 4
YEARLY = {"full": "0 3 1 1 *", "incremental": "0 4 1 1 *"}
SET = "20260102T030000Z"


class Killed:
    """A system whose operators are killed again and again."""

    def __init__(self, namespace: Namespace, operators: Operators) -> None:
        self._namespace, self._operators = namespace, operators
        self._chance = random.Random(SEED)
        services = [build_service("api", "db")]
        namespace.create("tradingsystems", build_system("desk", services, [build_datastore("db")]))
        self._serve(lambda: namespace.is_ready("desk"))

    def see(self, ends: Callable[[], Any]) -> Any:
        """Let operators begin and kill each a moment after it leads; the last one sees the end."""
        for _ in range(KILLS):
            replica = self._operators.start(None, **OPERATOR)
            eventually(replica.is_leading, pause=0.02)
            time.sleep(self._chance.uniform(0.0, 0.4))
            self._end(replica)
        return self._serve(ends)

    def _serve(self, ends: Callable[[], Any]) -> Any:
        replica = self._operators.start_leading(**OPERATOR)
        found = eventually(ends)
        self._end(replica)
        return found

    def _end(self, replica: OperatorProcess) -> None:
        replica.kill()
        self._namespace.delete("leases", "trading-operator")  # else it costs a Lease's time


@pytest.fixture
def killed(namespace: Namespace, operators: Operators) -> Killed:
    """Its operators are killed again and again."""
    return Killed(namespace, operators)


def take_one(namespace: Namespace, killed: Killed) -> str:
    """Take a backup; return its Job."""
    backup = build_backup("nightly", "desk", schedule=YEARLY)
    backup["metadata"]["annotations"] = {"tradingoperator.io/run-now": "1"}
    namespace.create("backups", backup)
    (job,) = killed.see(lambda: namespace.names("jobs"))
    end_pod(namespace, job, succeeded(SET))
    killed.see(lambda: namespace.get("backups", "nightly")["status"].get("lastSets"))
    return str(job)


def created_jobs(operators: Operators) -> set[str]:
    """Return which Jobs were made, also those that are gone."""
    made = [each for each in operators.writes() if each.startswith("create jobs/")]
    return {each.removeprefix("create jobs/") for each in made}


def test_one_backup_is_taken_and_told(
    namespace: Namespace, operators: Operators, killed: Killed
) -> None:
    job = take_one(namespace, killed)
    assert created_jobs(operators) == namespace.names("jobs") == {job}
    assert namespace.names("cronjobs") == {"nightly-full", "nightly-incremental"}
    status = namespace.get("backups", "nightly")["status"]
    assert [each["id"] for each in status["lastSets"]] == [SET]
    operators.start_leading(**OPERATOR)
    settled = operators.settle()
    assert operators.settle() == settled


def test_one_restore_stops_what_uses_the_data_restores_and_starts_it_again(
    namespace: Namespace, operators: Operators, killed: Killed
) -> None:
    job = take_one(namespace, killed)
    namespace.create("restores", build_restore("back", "nightly", set=SET))
    killed.see(lambda: "back-restore" in namespace.names("jobs"))
    assert namespace.get("deployments", "desk-api")["spec"]["replicas"] == 0
    end_pod(namespace, "back-restore", succeeded(SET))
    killed.see(lambda: namespace.get("restores", "back")["status"]["phase"] == "Succeeded")
    killed.see(lambda: namespace.is_ready("desk"))
    assert created_jobs(operators) == namespace.names("jobs") == {job, "back-restore"}
