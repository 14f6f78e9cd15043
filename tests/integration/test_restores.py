"""Restores on a real API server: what stops, what is saved, and what a person has to say."""

from typing import Any

import httpx
import pytest

from integration.backups import OPERATOR, build_backup, build_restore, end_pod, succeeded
from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system

YEARLY = {"full": "0 3 1 1 *", "incremental": "0 4 1 1 *"}
IN_PLACE = {"mode": "InPlace", "confirm": "desk"}
OLD_COMMAND = "tradingoperator.io/old-command"
OLD_SET = "20260101T030000Z"


def start(space: Namespace, isolation: str = "Off") -> None:
    """Start a system whose `api` uses a database and whose `web` does not, and back it up once."""
    services = [build_service("api", "db"), build_service("web")]
    network = {"isolation": isolation}
    system = build_system("desk", services, [build_datastore("db")], network=network)
    space.create("tradingsystems", system)
    eventually(lambda: space.is_ready("desk"))
    space.create("backups", build_backup("nightly", "desk", schedule=YEARLY))
    run = {"metadata": {"annotations": {"tradingoperator.io/run-now": "1"}}}
    space.merge("backups", "nightly", run)
    (job,) = eventually(lambda: space.names("jobs"))
    end_pod(space, job, succeeded(OLD_SET))
    eventually(lambda: space.get("backups", "nightly")["status"].get("lastSets"))
    space.delete("jobs", job)
    eventually(lambda: space.names("jobs") == set())


def phase(space: Namespace, name: str = "back") -> str:
    """Return the phase of a Restore."""
    return str((space.get("restores", name).get("status") or {}).get("phase", ""))


def replicas(space: Namespace, service: str) -> int:
    """Return how many pods of a service are asked for."""
    return int(space.get("deployments", f"desk-{service}")["spec"]["replicas"])


def told(space: Namespace) -> str:
    """Return which orders services are told that they may send."""
    return str(space.get("configmaps", "desk-trading-state")["data"]["trading_state"]).strip()


def is_asleep(space: Namespace) -> bool:
    """Tell whether no backup can begin by its schedule."""
    return all(each["spec"]["suspend"] for each in space.list("cronjobs"))


def test_data_are_replaced_after_they_were_saved_and_orders_wait_for_a_person(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start(namespace)
    namespace.create("restores", build_restore("back", "nightly", **IN_PLACE))
    eventually(lambda: phase(namespace) == "Saving")
    assert replicas(namespace, "api") == 0
    assert replicas(namespace, "web") == 1
    assert told(namespace) == "Halted"
    assert is_asleep(namespace)
    (saving,) = eventually(lambda: namespace.names("jobs"))
    labels = namespace.get("jobs", saving)["metadata"]["labels"]
    assert labels["tradingoperator.io/run"] == "Safety"
    end_pod(namespace, saving, succeeded("20260102T030000Z"))
    eventually(lambda: "back-restore" in namespace.names("jobs"))
    status = namespace.get("restores", "back")["status"]
    assert status["set"] == OLD_SET
    assert namespace.get("statefulsets", "desk-db")["spec"]["replicas"] == 1
    end_pod(namespace, "back-restore", succeeded(OLD_SET, rtoSeconds=7))
    eventually(lambda: phase(namespace) == "Succeeded")
    eventually(lambda: namespace.is_ready("desk"))
    assert replicas(namespace, "api") == 1
    eventually(lambda: not is_asleep(namespace))
    assert told(namespace) == "Halted"
    assert namespace.get("tradingsystems", "desk")["status"]["haltedBy"] == "back"
    _resume(namespace, "back")
    eventually(lambda: told(namespace) == "Active")
    before = operators.settle(3.0)
    namespace.merge("restores", "back", {"metadata": {"annotations": {"a": "b"}}})
    assert operators.settle(3.0) == before


def test_a_restore_may_have_the_name_of_its_backup_and_of_one_that_was_let_go(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start(namespace, isolation="Enforced")
    _resume(namespace, "nightly")
    namespace.create("restores", build_restore("nightly", "nightly", set=OLD_SET))
    eventually(lambda: "nightly-restore" in namespace.names("jobs"))
    assert {"nightly-jobs", "nightly-restore-job"} <= namespace.names("networkpolicies")
    end_pod(namespace, "nightly-restore", succeeded(OLD_SET))
    eventually(lambda: phase(namespace, "nightly") == "Succeeded")
    eventually(lambda: namespace.is_ready("desk"))
    operators.settle(3.0)
    assert told(namespace) == "Halted"
    _resume(namespace, None)
    eventually(lambda: OLD_COMMAND not in _annotations(namespace))
    _resume(namespace, "nightly")
    eventually(lambda: told(namespace) == "Active")
    assert not [name for name in _annotations(namespace) if "halted-by" in name]


def _annotations(space: Namespace) -> dict[str, str]:
    metadata = space.get("configmaps", "desk-trading-state")["metadata"]
    return dict(metadata.get("annotations") or {})


def _resume(space: Namespace, restore: str | None) -> None:
    annotations = {"tradingoperator.io/resume-trading": restore}
    space.merge("tradingsystems", "desk", {"metadata": {"annotations": annotations}})


def test_what_failed_half_way_keeps_all_still_also_for_the_next_operator(
    namespace: Namespace, operators: Operators
) -> None:
    replica = operators.start_leading(**OPERATOR)
    start(namespace)
    namespace.create("restores", build_restore("back", "nightly", set=OLD_SET))
    eventually(lambda: "back-restore" in namespace.names("jobs"))
    said = {"outcome": "Failed", "reason": "DataDiffer", "message": "rows of orders"}
    end_pod(namespace, "back-restore", said, exit_code=42)
    eventually(lambda: phase(namespace) == "Failed")
    assert replica.stop() == 0
    operators.start_leading(**OPERATOR)
    _resume(namespace, "back")
    operators.settle(5.0)
    assert replicas(namespace, "api") == 0
    assert told(namespace) == "Halted"
    assert is_asleep(namespace)
    stalled = namespace.condition_of("restores", "back", "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "RestoreFailed")
    namespace.delete("restores", "back")
    eventually(lambda: namespace.is_ready("desk"))
    assert replicas(namespace, "api") == 1


def test_a_restart_in_the_midst_starts_nothing_that_rests(
    namespace: Namespace, operators: Operators
) -> None:
    replica = operators.start_leading(**OPERATOR)
    start(namespace)
    namespace.create("restores", build_restore("back", "nightly", set=OLD_SET))
    eventually(lambda: "back-restore" in namespace.names("jobs"))
    replica.kill()
    operators.start_leading(**OPERATOR)
    writes = operators.settle(5.0)
    assert replicas(namespace, "api") == 0
    assert not [each for each in writes if each.startswith("delete jobs/")]
    end_pod(namespace, "back-restore", succeeded(OLD_SET))
    eventually(lambda: phase(namespace) == "Succeeded")
    eventually(lambda: namespace.is_ready("desk"))


def test_what_waits_for_a_person_stops_nothing(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading(**OPERATOR)
    start(namespace)
    wrong = build_restore("back", "nightly", mode="InPlace", confirm="tesk")
    namespace.create("restores", wrong)
    stalled = eventually(lambda: _holding(namespace))
    assert stalled["reason"] == "NotConfirmed"
    assert (phase(namespace), replicas(namespace, "api")) == ("Pending", 1)
    assert told(namespace) == "Active"


def _holding(space: Namespace) -> dict[str, Any]:
    condition = space.condition_of("restores", "back", "Stalled")
    return condition if condition.get("status") == "True" else {}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"mode": "InPlace"}, "set confirm to the name of the trading system"),
    ({"mode": "Merge"}, "spec.mode"),
    ({"set": "yesterday"}, "spec.set"),
    ({"targets": ["db", "db"]}, "Duplicate value"),
    ({"deadline": "0s"}, "deadline must be at least 1m"),
    ({"deadline": "59s"}, "deadline must be at least 1m"),
]


@pytest.mark.parametrize(("spec", "words"), REFUSED, ids=lambda case: str(case)[:40])
def test_a_restore_that_makes_no_sense_is_refused(
    namespace: Namespace, spec: dict[str, Any], words: str
) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        namespace.create("restores", build_restore("back", "nightly", **spec))
    assert words in str(caught.value)


def test_a_restore_is_carried_out_once(namespace: Namespace) -> None:
    namespace.create("restores", build_restore("back", "nightly"))
    with pytest.raises(httpx.HTTPStatusError) as caught:
        namespace.merge("restores", "back", {"spec": {"set": OLD_SET}})
    assert "make another one" in str(caught.value)
