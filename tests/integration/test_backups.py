"""Backups on a real API server: what they make, what their pods say, and what waits for them."""

from typing import Any

import httpx
import pytest

from integration.backups import OPERATOR, build_backup, end_pod, succeeded
from integration.kube_client import COLLECTED_SECONDS, Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system

YEARLY = {"full": "0 3 1 1 *", "incremental": "0 4 1 1 *"}


def start_system(space: Namespace, **spec: Any) -> None:
    """Start a small system with a database and wait until it is Ready."""
    name = "desk"
    services = [build_service("api", "db")]
    space.create("tradingsystems", build_system(name, services, [build_datastore("db")], **spec))
    eventually(lambda: space.is_ready(name))


def ready(space: Namespace, name: str = "nightly") -> tuple[str, str]:
    """Return the status and the reason of a Backup's Ready."""
    found = space.condition_of("backups", name, "Ready")
    return found.get("status", ""), found.get("reason", "")


@pytest.mark.acceptance("C63", "C64")
def test_a_scheduled_backup_makes_its_jobs_and_then_writes_nothing(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    drill = {"restoreDrill": "0 5 1 1 *"}
    namespace.create("backups", build_backup("nightly", "desk", schedule=YEARLY, verify=drill))
    eventually(lambda: ready(namespace) == ("True", "BackupsTaken"))
    made = {"nightly-full", "nightly-incremental", "nightly-drill"}
    assert namespace.names("cronjobs") == made
    status = namespace.get("backups", "nightly")["status"]
    assert status["nextRun"].endswith("-01-01T03:00:00Z")
    before = operators.settle(3.0)
    # Two passes later: nothing of the server's defaults counts as a difference.
    namespace.merge("backups", "nightly", {"metadata": {"annotations": {"a": "b"}}})
    assert operators.settle(3.0) == before


def test_one_backup_is_taken_once_and_told_in_figures(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("backups", build_backup("nightly", "desk"))
    eventually(lambda: namespace.names("jobs") == {"nightly-once"})
    end_pod(namespace, "nightly-once", succeeded(dataAsOf="2026-01-02T02:59:00Z"))
    eventually(lambda: ready(namespace)[0] == "True")
    status = namespace.get("backups", "nightly")["status"]
    assert status["size"] == "2.0 KiB"
    assert [each["id"] for each in status["lastSets"]] == ["20260102T030000Z"]
    namespace.delete("jobs", "nightly-once")
    eventually(lambda: namespace.get("jobs", "nightly-once") is None)
    operators.settle(3.0)
    assert namespace.names("jobs") == set()
    assert namespace.get("backups", "nightly")["status"]["lastSets"] == status["lastSets"]


def test_what_no_repetition_mends_is_not_repeated_and_waits_for_a_person(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("backups", build_backup("nightly", "desk", schedule=YEARLY))
    run = {"metadata": {"annotations": {"tradingoperator.io/run-now": "1"}}}
    namespace.merge("backups", "nightly", run)
    (job,) = eventually(lambda: namespace.names("jobs"))
    said = {"outcome": "Failed", "reason": "WrongPassword", "message": "the key opens nothing"}
    end_pod(namespace, job, said, exit_code=42)
    stalled = eventually(
        lambda: _holding(namespace.condition_of("backups", "nightly", "Stalled")), 40
    )
    assert stalled["reason"] == "BackupFailed"
    assert "WrongPassword: the key opens nothing" in stalled["message"]
    selector = f"batch.kubernetes.io/job-name={job}"
    assert len(namespace.list("pods", selector)) == 1


def _holding(condition: dict[str, Any]) -> dict[str, Any]:
    return condition if condition.get("status") == "True" else {}


@pytest.mark.acceptance("C61")
def test_a_change_waits_for_a_backup_of_its_own_and_then_goes_on(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace, rollout={"bakeTime": "0s", "backupBefore": "nightly"})
    namespace.create("backups", build_backup("nightly", "desk", schedule=YEARLY))
    eventually(lambda: ready(namespace)[0] == "True")
    changed = [build_service("api", "db", tag="2")]
    namespace.merge("tradingsystems", "desk", {"spec": {"services": changed}})
    (job,) = eventually(lambda: namespace.names("jobs"))
    held = namespace.condition("desk", "Ready")
    assert held["reason"] == "BackupNotTaken"
    eventually(lambda: "takes the backup" in namespace.condition("desk", "Ready")["message"])
    assert _image(namespace) == "registry.example/api:1"
    end_pod(namespace, job, succeeded())
    eventually(lambda: namespace.is_ready("desk"))
    assert _image(namespace) == "registry.example/api:2"
    operators.settle(2.0)
    assert namespace.names("jobs") == {job}


def _image(space: Namespace) -> str:
    template = space.get("deployments", "desk-api")["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def test_what_was_backed_up_stays_when_the_backup_goes_and_is_gone_on_with(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    backup = build_backup("nightly", "desk", schedule=YEARLY)
    namespace.create("backups", backup)
    eventually(lambda: ready(namespace)[0] == "True")
    secret = namespace.get("secrets", "nightly-repository-password")
    claim = namespace.get("persistentvolumeclaims", "nightly-repository")
    assert secret["metadata"]["ownerReferences"][0]["uid"] == claim["metadata"]["uid"]
    namespace.delete("backups", "nightly")
    eventually(lambda: not namespace.names("cronjobs"), 120)
    assert namespace.get("persistentvolumeclaims", "nightly-repository") is not None
    namespace.create("backups", backup)
    eventually(lambda: namespace.names("cronjobs"))
    again = namespace.get("secrets", "nightly-repository-password")
    assert again["metadata"]["uid"] == secret["metadata"]["uid"]
    assert again["data"] == secret["data"]


def test_a_backup_rests_while_its_system_is_not_there(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    namespace.create("backups", build_backup("nightly", "desk", schedule=YEARLY))
    eventually(lambda: ready(namespace) == ("False", "SystemNotFound"))
    start_system(namespace)
    eventually(lambda: ready(namespace)[0] == "True")
    namespace.delete("tradingsystems", "desk")
    eventually(lambda: ready(namespace) == ("False", "SystemNotFound"))
    jobs = namespace.list("cronjobs")
    assert len(jobs) == 2
    eventually(lambda: all(each["spec"]["suspend"] for each in namespace.list("cronjobs")))


SNAPSHOT = {"deletion": {"volumes": "Snapshot", "backup": "nightly"}}
DATA = "data-desk-db-0"


def _ask_last(space: Namespace) -> str:
    """Delete a system that wants a last backup; return the Job that takes it."""
    start_system(space, **SNAPSHOT)
    space.create("backups", build_backup("nightly", "desk", schedule=YEARLY))
    eventually(lambda: ready(space)[0] == "True")
    space.delete("tradingsystems", "desk")
    (job,) = eventually(lambda: space.names("jobs"))
    assert not space.list("pods", "app.kubernetes.io/component=api")
    assert space.get("statefulsets", "desk-db")["spec"]["replicas"] == 1
    assert space.condition("desk", "Reconciling")["reason"] == "WaitingForLastBackup"
    return job


def _volumes(space: Namespace) -> set[str]:
    names: set[str] = space.names("persistentvolumeclaims")
    return names


def test_the_volumes_of_a_deleted_system_go_after_a_last_backup(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    job = _ask_last(namespace)
    assert DATA in _volumes(namespace)
    end_pod(namespace, job, succeeded(targets=[{"name": "db"}]))
    eventually(lambda: namespace.get("tradingsystems", "desk") is None)
    eventually(lambda: _volumes(namespace) == {"nightly-repository"}, COLLECTED_SECONDS)


def test_the_volumes_of_a_deleted_system_stay_when_the_last_backup_fails(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    job = _ask_last(namespace)
    said = {"outcome": "Failed", "reason": "WrongPassword", "message": "the key opens nothing"}
    end_pod(namespace, job, said, exit_code=42)
    eventually(lambda: namespace.get("tradingsystems", "desk") is None)
    notes = eventually(lambda: [e["note"] for e in _told(namespace, "LastBackupNotTaken")])
    assert "all volumes stay: the backup by nightly failed: the key opens" in notes[0]
    eventually(lambda: not namespace.names("statefulsets"), COLLECTED_SECONDS)
    assert _volumes(namespace) == {DATA, "nightly-repository"}


def _told(space: Namespace, reason: str) -> list[dict[str, Any]]:
    return [each for each in space.list("events") if each.get("reason") == reason]


BUCKET = {
    "endpoint": "https://s3.example",
    "bucket": "desk",
    "accessKeySecretRef": {"name": "keys", "key": "a"},
    "secretKeySecretRef": {"name": "keys", "key": "s"},
}
OWN_PASSWORD = {"passwordSecretRef": {"name": "vault", "key": "password"}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"destination": {}}, "either a volume or s3"),
    ({"destination": {"volume": {"size": "1Gi"}, "s3": BUCKET}}, "either a volume or s3"),
    ({"destination": {"volume": {}}}, "either a size, or the claimName"),
    ({"destination": {"s3": BUCKET}}, "set encryption.passwordSecretRef"),
    ({"destination": {"volume": {"claimName": "mine"}}}, "set encryption.passwordSecretRef"),
    ({"retention": {"days": 0}}, "retention keeps nothing"),
    ({"objectives": {"rto": "1h"}}, "set verify.restoreDrill"),
    ({"objectives": {"rpo": "1h"}}, "set schedule"),
    ({"deadline": "10s"}, "at least 1m"),
    (
        {"destination": {"s3": BUCKET}, "encryption": OWN_PASSWORD, "deadline": "30m"},
        "at least 1h",
    ),
    ({"schedule": {"full": "0 3 * *"}}, "spec.schedule.full"),
    ({"schedule": {"full": "@daily", "timeZone": "Local"}}, "name of a zone"),
    ({"schedule": {"full": "@daily", "startingDeadline": "48h"}}, "from 1m to 24h"),
    (
        {"targets": [{"name": "db"}], "assertions": [{"name": "a", "target": "x", "sql": "s"}]},
        "names what is no target",
    ),
    ({"targets": [{"name": "db"}, {"name": "db"}]}, "Duplicate value"),
    ({"verify": {"readData": "200%"}}, "spec.verify.readData"),
]


@pytest.mark.parametrize(("spec", "told"), REFUSED, ids=lambda case: str(case)[:50])
def test_a_backup_that_makes_no_sense_is_refused_with_the_mend(
    namespace: Namespace, spec: dict[str, Any], told: str
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=r".*") as caught:
        namespace.create("backups", build_backup("nightly", "desk", **spec))
    assert told in str(caught.value)


def test_what_a_backup_is_of_and_where_it_goes_never_changes(namespace: Namespace) -> None:
    namespace.create("backups", build_backup("nightly", "desk"))
    moved = {"volume": None, "s3": BUCKET}
    for patch, told in (
        ({"system": "other"}, "system is immutable"),
        ({"destination": moved, "encryption": OWN_PASSWORD}, "stays the same"),
        ({"destination": {"volume": {"storageClassName": "fast"}}}, "stays the same"),
    ):
        with pytest.raises(httpx.HTTPStatusError) as caught:
            namespace.merge("backups", "nightly", {"spec": patch})
        assert told in str(caught.value)
    namespace.merge("backups", "nightly", {"spec": {"destination": {"volume": {"size": "2Gi"}}}})


def test_every_column_says_something(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("backups", build_backup("nightly", "desk", schedule=YEARLY))
    run = {"metadata": {"annotations": {"tradingoperator.io/run-now": "1"}}}
    namespace.merge("backups", "nightly", run)
    (job,) = eventually(lambda: namespace.names("jobs"))
    end_pod(namespace, job, succeeded())
    eventually(lambda: "lastSuccess" in namespace.get("backups", "nightly")["status"])
    (cells,) = namespace.client.table(namespace.path("backups"))
    assert cells["System"] == "desk"
    assert cells["Size"] == "2.0 KiB"
    assert cells["NextRun"].endswith("T03:00:00Z")
    assert "invalid" not in str(cells)
