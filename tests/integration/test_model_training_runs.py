"""Runs of ModelTrainingJobs on a real API server: devices, pauses, deadlines, failures, kills."""

import random
import time
from typing import Any

import pytest

from integration.backups import OPERATOR as BACKUPS
from integration.backups import build_backup, build_restore, end_pod, pod_of, succeeded
from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.trainings import (
    OPERATOR,
    build_training,
    command,
    condition,
    edit,
    end_training,
    phase,
    start_system,
    status,
    trained,
)

Manifest = dict[str, Any]


def _device(name: str, resource: str, node: str, **more: Any) -> Manifest:
    toleration = {"key": "gpu", "value": node, "effect": "NoSchedule"}
    return {"name": name, "resource": resource, "tolerations": [toleration], **more}


@pytest.mark.acceptance("A50")
def test_a_training_gets_its_device_and_its_status_says_how_it_went(
    namespace: Namespace, operators: Operators, gpu_node: tuple[str, str]
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    node, resource = gpu_node
    training = build_training(devices=[_device("gpu", resource, node)])
    namespace.create("modeltrainingjobs", training)
    pod = eventually(lambda: pod_of(namespace, "daily-1-1"))
    assert pod is not None
    assert pod["spec"]["nodeName"] == node
    assert pod["spec"]["containers"][0]["resources"]["limits"][resource] == "1"
    eventually(lambda: phase(namespace) == "Training")
    end_training(namespace, "daily-1-1", trained("v1"))
    eventually(lambda: phase(namespace) == "Succeeded")
    told = status(namespace)
    assert told["version"]["id"] == "v1"
    assert told["version"]["device"] == "gpu"
    assert told["version"]["image"] == OPERATOR["IMAGE_TRAINING"]
    assert [each["name"] for each in told["gates"]] == ["LabelShuffle", "FutureShift"]
    assert condition(namespace, "Ready")[:2] == ("True", "ModelsTrained")
    (row,) = namespace.client.table(namespace.path("modeltrainingjobs"))
    assert (row["Phase"], row["Score"], row["Version"]) == ("Succeeded", "0.7", "v1")
    before = operators.settle(3.0)
    namespace.merge("modeltrainingjobs", "daily", {"metadata": {"annotations": {"a": "b"}}})
    assert operators.settle(3.0) == before


def test_devices_that_are_not_to_be_had_give_way_to_the_next_ones(
    namespace: Namespace, operators: Operators, gpu_node: tuple[str, str]
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    node, resource = gpu_node
    devices = [
        {"name": "none", "resource": "example.com/no-such", "waitFor": "2s"},
        _device("mig", resource, node, count=2, waitFor="2s"),
        {"name": "cpu"},
    ]
    namespace.create("modeltrainingjobs", build_training(devices=devices))
    eventually(lambda: pod_of(namespace, "daily-1-3") is not None)
    launches = status(namespace)["run"]["launches"]
    told = [(each["device"], each["outcome"]) for each in launches]
    assert told[:2] == [("none", "DeviceUnavailable"), ("mig", "DeviceUnavailable")]
    eventually(lambda: namespace.names("jobs") == {"daily-1-3"})
    end_training(namespace, "daily-1-3", trained())
    eventually(lambda: phase(namespace) == "Succeeded")
    assert status(namespace)["version"]["device"] == "cpu"


def test_it_says_that_no_node_has_such_a_device_and_what_mends_it(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    devices = [{"name": "gpu", "resource": "example.com/nowhere", "count": 2}]
    namespace.create("modeltrainingjobs", build_training(devices=devices))
    eventually(lambda: condition(namespace, "Reconciling")[1] == "NoMatchingDevice")
    message = condition(namespace, "Reconciling")[2]
    assert "no node offers 2 example.com/nowhere" in message
    assert "list another device" in message
    assert phase(namespace) == "Waiting"
    assert status(namespace)["summary"] == "NoMatchingDevice"


def test_it_says_that_a_quota_is_used_up(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    pods = len(namespace.list("pods"))
    quota = {"metadata": {"name": "room"}, "spec": {"hard": {"pods": str(pods)}}}
    namespace.create("resourcequotas", quota)
    eventually(lambda: "used" in namespace.get("resourcequotas", "room").get("status", {}))
    namespace.create("modeltrainingjobs", build_training())
    eventually(lambda: condition(namespace, "Reconciling")[1] == "QuotaExceeded")
    assert "ResourceQuota room allows pods" in condition(namespace, "Reconciling")[2]


def test_a_pause_keeps_the_count_of_what_ran_and_the_deadline_holds_over_it(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("modeltrainingjobs", build_training(deadline="12s"))
    pod = eventually(lambda: pod_of(namespace, "daily-1-1"))
    assert pod is not None
    eventually(lambda: phase(namespace) == "Training")
    time.sleep(4)
    edit(namespace, suspend=True)
    eventually(lambda: phase(namespace) == "Suspended")
    eventually(lambda: namespace.names("jobs") == set())
    ran = status(namespace)["run"]["ranSeconds"]
    assert 3 <= ran <= 10
    time.sleep(12)
    assert status(namespace)["run"]["ranSeconds"] == ran
    edit(namespace, suspend=False)
    second = eventually(lambda: pod_of(namespace, "daily-1-2"))
    assert second is not None
    assert second["spec"]["activeDeadlineSeconds"] == 12 - ran
    eventually(lambda: phase(namespace) == "Failed")
    assert status(namespace)["run"]["reason"] == "DeadlineExceeded"
    assert "spec.deadline" in condition(namespace, "Stalled")[2]


def test_what_no_repetition_mends_fails_at_once_and_a_retry_is_asked_for(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("modeltrainingjobs", build_training())
    said = {"outcome": "Failed", "reason": "EmptyDataset", "message": "dataset: no bar; mend it"}
    end_training(namespace, "daily-1-1", said, exit_code=42)
    eventually(lambda: phase(namespace) == "Failed")
    assert len(namespace.list("pods", "batch.kubernetes.io/job-name=daily-1-1")) == 1
    stalled = condition(namespace, "Stalled")
    assert stalled[:2] == ("True", "TrainingFailed")
    assert "EmptyDataset: dataset: no bar; mend it" in stalled[2]
    assert "version" not in status(namespace)
    command(namespace, "retry", "1")
    end_training(namespace, "daily-2-1", trained())
    eventually(lambda: phase(namespace) == "Succeeded")
    assert status(namespace)["handled"]["retry"] == "1"
    assert status(namespace)["run"]["number"] == 2


def test_a_program_that_fails_is_started_again_and_a_disruption_does_not_count(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("modeltrainingjobs", build_training(retries=1))
    first = eventually(lambda: pod_of(namespace, "daily-1-1"))
    assert first is not None
    name = first["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"{namespace.path('pods', name)}/eviction"
    namespace.client.request("POST", path, eviction)
    end_training(namespace, "daily-1-1", "stopped", exit_code=143)
    eventually(lambda: _another(namespace, first), 60)
    end_training(namespace, "daily-1-1", "crashed", exit_code=1)
    eventually(lambda: _running(namespace), 90)
    end_training(namespace, "daily-1-1", trained())
    eventually(lambda: phase(namespace) == "Succeeded")


def _another(space: Namespace, pod: Manifest) -> Manifest | None:
    found = pod_of(space, "daily-1-1")
    other = found is not None and found["metadata"]["uid"] != pod["metadata"]["uid"]
    return found if other else None


def _running(space: Namespace) -> bool:
    return pod_of(space, "daily-1-1") is not None


def test_another_recipe_takes_the_place_of_the_run_under_way(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("modeltrainingjobs", build_training())
    eventually(lambda: pod_of(namespace, "daily-1-1"))
    edit(namespace, seed=8)
    eventually(lambda: pod_of(namespace, "daily-2-1"))
    assert namespace.names("jobs") == {"daily-2-1"}
    # What does not decide the result leaves the run alone.
    edit(namespace, retries=5, ttl="1h")
    end_training(namespace, "daily-2-1", trained())
    eventually(lambda: phase(namespace) == "Succeeded")
    assert status(namespace)["run"]["number"] == 2


def test_kueue_decides_when_a_job_of_its_queue_begins(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("modeltrainingjobs", build_training(queueName="trading"))
    job = eventually(lambda: namespace.get("jobs", "daily-1-1"))
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "trading"
    eventually(lambda: condition(namespace, "Reconciling")[1] == "WaitingForQueue")
    namespace.merge("jobs", "daily-1-1", {"spec": {"suspend": False}})
    end_training(namespace, "daily-1-1", trained())
    eventually(lambda: phase(namespace) == "Succeeded")


def test_by_schedule_it_begins_when_it_is_due_and_not_before(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    yearly = {"cron": "0 3 1 1 *"}
    namespace.create("modeltrainingjobs", build_training(schedule=yearly))
    eventually(lambda: status(namespace).get("nextRun", "").endswith("-01-01T03:00:00Z"))
    assert namespace.names("jobs") == set()
    edit(namespace, schedule={"cron": "* * * * *"})
    eventually(lambda: namespace.names("jobs") == {"daily-1-1"}, 90)
    due = status(namespace)["run"]["scheduledFor"]
    end_training(namespace, "daily-1-1", trained())
    eventually(lambda: phase(namespace) == "Succeeded")
    assert due.endswith(":00Z")
    assert status(namespace)["run"]["scheduledFor"] == due


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"dataset": {"source": "nowhere", "symbols": ["A"]}}, "dataset.source", "it has db"),
        ({"volume": "nowhere"}, "volume", "it has models"),
        ({"config": "nowhere"}, "config", "it has none"),
        ({"promotion": {"service": "nowhere"}}, "promotion.service", "it has strategy"),
        (
            {"promotion": {"service": "strategy", "port": "nowhere"}},
            "promotion.port",
            "it has http",
        ),
        ({"schedule": {"cron": "0 25 * * *"}}, "schedule.cron", "25"),
    ],
)
def test_a_spec_that_makes_no_sense_waits_for_its_author(
    namespace: Namespace, operators: Operators, spec: Manifest, field: str, words: str
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("modeltrainingjobs", build_training(**spec))
    eventually(lambda: condition(namespace, "Stalled")[:2] == ("True", "InvalidSpec"))
    message = condition(namespace, "Stalled")[2]
    assert message.startswith(field)
    assert words in message
    assert namespace.names("jobs") == set()


def test_a_job_that_somebody_deletes_is_made_again_and_the_run_goes_on(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR)
    start_system(namespace)
    namespace.create("modeltrainingjobs", build_training())
    eventually(lambda: pod_of(namespace, "daily-1-1"))
    eventually(lambda: phase(namespace) == "Training")
    namespace.delete("jobs", "daily-1-1")
    eventually(lambda: pod_of(namespace, "daily-1-2"))
    end_training(namespace, "daily-1-2", trained())
    eventually(lambda: phase(namespace) == "Succeeded")
    outcomes = [each["outcome"] for each in status(namespace)["run"]["launches"]]
    assert outcomes == ["Vanished", "Succeeded"]


def test_a_restore_waits_until_nothing_of_a_training_runs_which_goes_on_afterwards(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading(**OPERATOR, **BACKUPS)
    start_system(namespace)
    namespace.create("backups", build_backup("nightly", "desk", schedule={"full": "0 3 1 1 *"}))
    namespace.create("modeltrainingjobs", build_training())
    pod = eventually(lambda: pod_of(namespace, "daily-1-1"))
    assert pod is not None
    eventually(lambda: phase(namespace) == "Training")
    # It takes its time to write a checkpoint.
    path = namespace.path("pods", pod["metadata"]["name"])
    keep = {"metadata": {"finalizers": ["example.com/slow"]}}
    namespace.client.request("PATCH", path, keep, "application/merge-patch+json")
    namespace.create("restores", build_restore("back", "nightly"))
    eventually(lambda: "Job daily-1-1" in _restore(namespace).get("message", ""))
    assert namespace.get("jobs", "back-restore") is None
    free = {"metadata": {"finalizers": None}}
    namespace.client.request("PATCH", path, free, "application/merge-patch+json")
    eventually(lambda: namespace.get("jobs", "back-restore") is not None)
    assert "daily-1-1" not in namespace.names("jobs")
    assert phase(namespace) != "Training"
    end_pod(namespace, "back-restore", succeeded())
    eventually(lambda: _restore(namespace)["phase"] == "Succeeded")
    end_training(namespace, "daily-1-2", trained())
    eventually(lambda: phase(namespace) == "Succeeded")


def _restore(space: Namespace) -> Manifest:
    found: Manifest = (space.get("restores", "back") or {}).get("status", {})
    return found


def test_an_operator_that_is_killed_at_any_moment_goes_on_where_it_was(
    namespace: Namespace, operators: Operators
) -> None:
    seed = int(time.time()) // 86400
    rng = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201 - a failure is repeated by it
    replica = operators.start_leading(**OPERATOR)
    start_system(namespace)
    promotion = {"service": "strategy", "mode": "Auto"}
    namespace.create("modeltrainingjobs", build_training(promotion=promotion))
    for _ in range(3):
        time.sleep(rng.uniform(0.0, 0.4))
        replica.kill()
        jobs = namespace.list("jobs")
        assert len([each for each in jobs if not each["status"].get("completionTime")]) <= 1
        replica = operators.start_leading(**OPERATOR)
    edit(namespace, seed=9)
    for _ in range(2):
        time.sleep(rng.uniform(0.0, 0.6))
        replica.kill()
        replica = operators.start_leading(**OPERATOR)
    job = eventually(lambda: _newest(namespace, 9))
    end_training(namespace, job, trained("v9"))
    replica.kill()
    operators.start_leading(**OPERATOR)
    eventually(lambda: status(namespace).get("champion", {}).get("id") == "v9")
    history = status(namespace)["promotionHistory"]
    assert [each["event"] for each in history] == ["Promoted"]


def _newest(space: Namespace, seed: int) -> str:
    """Return the Job under way once it is the one of the newest recipe, and its pod runs."""
    run = status(space).get("run", {})
    spec = space.get("modeltrainingjobs", "daily")["spec"]
    jobs = space.names("jobs")
    if spec["seed"] != seed or run.get("outcome") != "Running" or not run.get("launches"):
        return ""
    name = str(run["launches"][-1]["job"])
    settled = jobs == {name} and status(space)["observedGeneration"] == 2
    return name if settled and pod_of(space, name) is not None else ""
