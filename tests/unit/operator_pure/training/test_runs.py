"""Runs: when one begins, what stops it, and that no lost write makes two."""

import json
from datetime import timedelta

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.model_training_parts import Device
from trading_operator.api.model_training_status import TrainingPhase
from trading_operator.plan.observed import Capacity, Quota
from unit.operator_pure.training.worlds import World, make_answer, make_selected, make_training

DEVICES = [
    {"name": "gpu", "resource": "nvidia.com/gpu", "waitFor": "10m"},
    {"name": "mig", "resource": "nvidia.com/mig-1g.10gb", "waitFor": "5m"},
    {"name": "cpu"},
]


def test_one_run_for_a_recipe_and_none_after_it() -> None:
    world = World(make_training(promotion=None))
    world.step()
    assert [job.name for job in world.jobs] == ["daily-1-1"]
    world.run_program()
    world.step()
    world.end(make_answer())
    world.step()
    assert world.phase() is TrainingPhase.SUCCEEDED
    for _ in range(3):
        assert not [m for m in world.step().plan.objects if m["kind"] == "Job"]


def test_a_status_that_was_never_written_makes_no_second_job() -> None:
    world = World()
    for _ in range(4):
        world.step(lose_status=True)
    assert [job.name for job in world.jobs] == ["daily-1-1"]
    world.step()
    assert world.launches == [("cpu", "Running")]


def test_a_job_is_stopped_only_once_the_status_says_why() -> None:
    world = World()
    world.step()
    world.run_program()
    world.step()
    world.spec = world.spec.model_copy(update={"suspend": True})
    world.step(lose_status=True)
    assert world.deleted == []
    world.step()
    assert world.deleted == []
    assert world.launches == [("cpu", "Suspended")]
    world.step()
    assert world.deleted == ["daily-1-1"]


def test_what_ran_before_a_pause_counts_and_what_passed_in_it_does_not() -> None:
    world = World(make_training(deadline="1m"))
    world.step()
    world.run_program()
    world.step(seconds=20)
    world.spec = world.spec.model_copy(update={"suspend": True})
    world.step()
    world.step(seconds=3600)
    world.spec = world.spec.model_copy(update={"suspend": False})
    planned = world.step()
    (job,) = (each for each in planned.plan.objects if each["kind"] == "Job")
    left = job["spec"]["template"]["spec"]["activeDeadlineSeconds"]
    assert left == 60 - 21
    world.run_program()
    world.step(seconds=38)
    assert world.phase() is TrainingPhase.TRAINING
    world.step(seconds=2)
    assert world.phase() is TrainingPhase.FAILED
    assert world.parsed.run is not None
    assert world.parsed.run.reason == "DeadlineExceeded"


def test_devices_are_tried_in_their_order_and_a_resumed_run_keeps_its_own() -> None:
    world = World(make_training(devices=DEVICES))
    world.step()
    world.change(pods=1, waits_reason="Unschedulable", waits_message="Insufficient nvidia.com/gpu")
    world.step(seconds=599)
    assert world.launches == [("gpu", "Running")]
    world.step(seconds=2)
    assert world.launches == [("gpu", "DeviceUnavailable")]
    world.step()
    world.step()
    world.run_program()
    world.step(seconds=3600)
    assert world.launches[-1] == ("mig", "Running")
    world.spec = world.spec.model_copy(update={"suspend": True})
    world.step()
    world.step()
    world.spec = world.spec.model_copy(update={"suspend": False})
    world.step()
    assert world.jobs[-1].device == "mig"


def test_the_last_device_is_waited_for_as_long_as_it_takes() -> None:
    world = World(make_training(devices=DEVICES[:1]))
    world.step()
    world.change(pods=1, waits_reason="Unschedulable", waits_message="")
    world.step(seconds=86400)
    assert world.launches == [("gpu", "Running")]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (({"cpu": "4"},), "NoMatchingDevice"),
        (({"nvidia.com/gpu": "1"},), "NoMatchingDevice"),
        (({"nvidia.com/gpu": "2"},), "DeviceBusy"),
        (None, "NoNodeFits"),
    ],
)
def test_it_says_what_the_device_is_waited_for(
    nodes: tuple[dict[str, str], ...] | None, reason: str
) -> None:
    world = World(make_training(devices=[{**DEVICES[0], "count": 2}]))
    world.step()
    world.change(pods=1, waits_reason="Unschedulable", waits_message="0/1 nodes")
    world.more["capacity"] = Capacity((), nodes)
    wait = world.step().wait
    assert wait is not None
    assert wait.reason == reason
    assert world.phase() is TrainingPhase.WAITING


def test_a_job_without_a_pod_is_explained_by_the_quota_that_is_used_up() -> None:
    world = World()
    world.step()
    world.step()
    full = Quota("room", {"pods": "3", "cpu": "4"}, {"pods": "3", "cpu": "1"})
    world.more["capacity"] = Capacity((full,), ())
    wait = world.step(seconds=10).wait
    assert wait is not None
    assert wait.reason == "QuotaExceeded"
    assert "allows pods 3" in wait.message
    world.more["capacity"] = Capacity((), ())
    wait = world.step(seconds=10).wait
    assert wait is not None
    assert wait.reason == "PodNotCreated"


def test_an_answer_that_is_on_its_way_is_waited_for_and_none_is_a_failure() -> None:
    world = World()
    world.step()
    world.run_program()
    world.step()
    world.end(None)
    world.step(seconds=30)
    assert world.parsed.run is not None
    assert world.parsed.run.outcome == "Running"
    world.step(seconds=40)
    assert world.parsed.run.reason == "NoAnswerOfThePod"


def test_the_words_of_a_pod_that_failed_before_are_not_those_of_the_one_that_ended_well() -> None:
    world = World()
    world.step()
    world.run_program()
    world.step()
    world.end(make_answer(outcome="Failed", reason="Crashed", version=None))
    world.step()
    assert world.phase() is not TrainingPhase.FAILED
    world.end(make_answer())
    world.step()
    assert world.phase() is TrainingPhase.SUCCEEDED


def test_the_wait_between_two_programs_of_a_job_is_no_time_that_it_ran() -> None:
    world = World(make_training(deadline="1m"))
    world.step()
    world.run_program()
    world.step(seconds=20)
    world.change(idle_seconds=3600)
    world.step(seconds=3600 + 30)
    assert world.phase() is TrainingPhase.TRAINING
    world.step(seconds=11)
    assert world.phase() is TrainingPhase.FAILED


def test_a_job_whose_status_was_lost_compares_with_what_is_traded() -> None:
    world = World(
        make_training(gates=[{"metric": "oosSharpe", "op": ">=", "relativeTo": "Champion"}])
    )
    world.more["selected"] = make_selected("v0")
    planned = world.step()
    (file,) = (each for each in planned.plan.objects if each["kind"] == "ConfigMap")
    assert json.loads(file["data"]["job.json"])["champion"]["id"] == "v0"
    world.run_program()
    world.step()
    world.end(make_answer())  # it says that there is no champion
    world.step()
    assert world.parsed.promotion is not None
    assert world.parsed.promotion.phase == "Refused"
    assert world.parsed.champion is not None
    assert world.parsed.champion.id == "v0"


def test_nothing_begins_while_something_of_an_earlier_job_may_still_write() -> None:
    world = World()
    world.more["lingering"] = True
    world.step()
    assert world.jobs == []
    world.more["lingering"] = False
    world.step()
    assert len(world.jobs) == 1


def test_what_the_system_lacks_is_named_with_what_it_has() -> None:
    for spec, words in (
        ({"dataset": {"source": "nowhere", "symbols": ["A"]}}, "dataset.source"),
        ({"volume": "nowhere"}, "it has models"),
        ({"promotion": {"service": "nowhere"}}, "it has strategy"),
    ):
        with pytest.raises(InvalidSpecError, match=words):
            World(make_training(**spec)).look()


def test_missed_runs_are_counted_once_and_only_the_newest_due_one_begins() -> None:
    world = World(make_training(schedule={"cron": "*/10 * * * *", "startingDeadline": "15m"}))
    world.step()
    assert world.jobs == []
    world.step(seconds=3600)
    assert world.parsed.missed_runs == 4
    assert world.parsed.run is not None
    assert world.parsed.run.scheduled_for == "2026-12-01T13:00:00Z"
    world.step(seconds=30)
    assert world.parsed.missed_runs == 4
    assert [job.name for job in world.jobs] == ["daily-1-1"]


def test_a_device_that_left_the_spec_is_no_reason_to_fail() -> None:
    world = World(make_training(devices=DEVICES))
    world.step()
    world.step()
    world.spec = world.spec.model_copy(update={"devices": [Device(name="other")]})
    world.change(pods=1, waits_reason="Unschedulable", waits_message="")
    world.step(seconds=timedelta(hours=1).total_seconds())
    assert world.launches == [("gpu", "Running")]
