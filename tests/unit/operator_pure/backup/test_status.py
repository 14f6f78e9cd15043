"""What a Backup says of itself, and when it says it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.observe.backup import backup_status, describe_size, invalid_backup_status
from trading_operator.observe.backup_events import backup_events
from trading_operator.plan.backup.case import Case, JobFacts
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Applied, Failure
from unit.operator_pure.backup.cases import (
    BACKUP,
    DAILY,
    case_of,
    ended_job,
    planned,
    remembering,
    settled,
    source_of,
)
from unit.operator_pure.systems import NOW, later

DRILLED: dict[str, Any] = {
    "schedule": DAILY,
    "verify": {"restoreDrill": "0 5 * * 0"},
    "objectives": {"rpo": "2h", "rto": "10s"},
}
DRILL = ended_job("nightly-drill-1", "Drill", "2026-01-02T03:02:00Z", said={"rtoSeconds": 12})
FULL = ended_job(said={"bytes": 3 * 2**30, "sets": 1, "dataAsOf": "2026-01-02T03:00:00Z"})


def status_of(
    case: Case,
    previous: Any = None,
    now: datetime = NOW,
    failures: tuple[Failure, ...] = (),
) -> dict[str, Any]:
    made = planned(case, now)
    applied = Applied(made.plan, case.observed.children, failures)
    return backup_status(applied, made, case, previous, now)


def condition(status: dict[str, Any], kind: str) -> tuple[str, str]:
    (found,) = [each for each in status["conditions"] if each["type"] == kind]
    return found["status"], found["reason"]


def with_jobs(*jobs: JobFacts, **fields: Any) -> Case:
    return replace(settled(case_of(**fields)), jobs=jobs)


def failed_for_good() -> JobFacts:
    return replace(FULL, outcome="Failed", words="", reason="PodFailurePolicy", message="exit 42")


def test_a_new_backup_says_what_comes() -> None:
    status = status_of(case_of(**DRILLED))
    assert condition(status, "Ready") == ("True", "BackupsTaken")
    assert condition(status, "Succeeded") == ("False", "NoBackupYet")
    assert condition(status, "ObjectivesMet") == ("True", "NoDrillYet")
    assert "RestoreProven" not in {each["type"] for each in status["conditions"]}
    assert status["nextRun"] == "2026-01-02T04:00:00Z"
    assert status["observedGeneration"] == BACKUP.generation


def test_what_went_well_is_told_in_figures() -> None:
    status = status_of(with_jobs(FULL, DRILL, **DRILLED))
    assert condition(status, "Succeeded") == ("True", "BackupSucceeded")
    assert condition(status, "RestoreProven") == ("True", "DrillSucceeded")
    assert condition(status, "ObjectivesMet") == ("False", "RestoreTooSlow")
    assert status["lastSuccess"] == "2026-01-02T03:00:00Z"
    assert status["size"] == "3.0 GiB"
    assert status["measuredRtoSeconds"] == 12
    assert status["lastVerifiedRestore"]["at"] == "2026-01-02T03:02:00Z"


def test_one_that_was_taken_once_is_ready_when_it_is_taken() -> None:
    assert condition(status_of(case_of()), "Ready") == ("False", "NoBackupYet")
    assert condition(status_of(with_jobs(replace(FULL, request="once"))), "Ready")[0] == "True"


def test_a_failed_run_is_no_reason_to_act_while_another_one_comes() -> None:
    again = replace(FULL, outcome="Failed", words="", reason="BackoffLimitExceeded")
    status = status_of(with_jobs(again, **DRILLED))
    assert condition(status, "Ready") == ("False", "BackupFailed")
    assert condition(status, "Stalled")[0] == "False"
    assert condition(status_of(with_jobs(failed_for_good(), **DRILLED)), "Stalled")[0] == "True"
    assert condition(status_of(with_jobs(again)), "Stalled")[0] == "True"


def test_what_is_under_way_is_told() -> None:
    running = JobFacts("nightly-full-2", "Full", waits="Unschedulable: no node fits")
    status = status_of(with_jobs(running, **DRILLED))
    assert condition(status, "Reconciling") == ("True", "BackupRunning")
    assert "no node fits" in next(
        c["message"] for c in status["conditions"] if c["type"] == "Reconciling"
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"suspend": True}, "Suspended"), ({"hibernated": True}, "Hibernated")],
)
def test_one_that_rests_is_as_it_should_be(fields: dict[str, Any], reason: str) -> None:
    source = source_of(hibernated=fields.pop("hibernated", False))
    status = status_of(case_of(source, schedule=DAILY, **fields))
    assert condition(status, "Ready") == ("True", reason)
    assert "nextRun" not in status


def test_a_missing_system_is_for_a_person_and_a_missing_target_is_waited_for() -> None:
    gone = status_of(replace(case_of(schedule=DAILY), source=None))
    assert condition(gone, "Stalled") == ("True", "SystemNotFound")
    source = replace(source_of(), children={})
    waiting = status_of(case_of(source, schedule=DAILY))
    assert condition(waiting, "Stalled")[0] == "False"
    assert condition(waiting, "Reconciling") == ("True", "WaitingForTarget")


def test_a_refused_write_is_told() -> None:
    failure = Failure(Ref("CronJob", "nightly-full"), 403, "forbidden")
    status = status_of(case_of(schedule=DAILY), failures=(failure,))
    assert condition(status, "Ready") == ("False", "Refused")
    assert condition(status, "Stalled") == ("True", "Refused")


def test_a_spec_that_makes_no_sense_keeps_what_was_known() -> None:
    before = status_of(with_jobs(FULL, **DRILLED))
    error = InvalidSpecError("targets[0]", "is gone", "mend it")
    status = invalid_backup_status(BACKUP, error, before, NOW)
    assert status["lastSuccess"] == before["lastSuccess"]
    assert condition(status, "Stalled") == ("True", "InvalidSpec")


def test_the_same_again_is_the_same_status() -> None:
    case = with_jobs(FULL, DRILL, **DRILLED)
    first = status_of(case)
    again = status_of(remembering(case, **first), first, later(60))
    assert again == first


def test_each_end_of_a_run_has_one_event() -> None:
    before = status_of(with_jobs(**DRILLED))
    after = status_of(with_jobs(FULL, DRILL, **DRILLED), before)
    told = {each.reason: each for each in backup_events(before, after)}
    assert set(told) == {"BackupSucceeded", "DrillSucceeded", "RestoreTooSlow"}
    assert "3.0 GiB" in told["BackupSucceeded"].message
    assert backup_events(after, after) == []


def test_failures_and_missed_runs_are_warnings() -> None:
    before = status_of(with_jobs(**DRILLED))
    after = {**status_of(with_jobs(failed_for_good(), **DRILLED), before), "missedRuns": 2}
    after["lastMissedRun"] = "2026-01-02T03:00:00Z"
    told = backup_events(before, after)
    assert {each.reason for each in told} == {"BackupFailed", "BackupMissed"}
    assert {each.type for each in told} == {"Warning"}


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, None), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**60, "1024.0 PiB")],
)
def test_sizes_are_written_as_people_read_them(amount: int | None, text: str | None) -> None:
    assert describe_size(amount) == text
