"""When runs are due, and which never began."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from trading_operator.plan.backup.case import Case
from unit.operator_pure.backup.cases import case_of, ended_job, planned, ref, remembering, settled
from unit.operator_pure.systems import NOW, later

SCHEDULE = {"full": "0 3 * * *", "incremental": "0 * * * *", "startingDeadline": "30m"}
FULL, INCREMENTAL = ref("CronJob", "full"), ref("CronJob", "incremental")


def scheduled(case: Case, **times: str) -> Case:
    """Return a Backup whose CronJobs last made a Job at the given times."""
    places = {"full": FULL, "incremental": INCREMENTAL}
    children = dict(case.observed.children)
    for run, time in times.items():
        children[places[run]] = {**children[places[run]], "status": {"lastScheduleTime": time}}
    return replace(case, observed=replace(case.observed, children=children))


def running() -> Case:
    return settled(case_of(schedule=SCHEDULE))


def missed(case: Case, now: datetime) -> list[str]:
    return [each.strftime("%d %H:%M") for each in planned(case, now).outlook.missed]


def test_the_next_run_is_that_of_the_schedule_that_comes_first() -> None:
    outlook = planned(case_of(schedule=SCHEDULE, verify={"restoreDrill": "0 5 * * 0"})).outlook
    assert outlook.next_run is not None
    assert outlook.next_drill is not None
    assert outlook.next_run.isoformat() == "2026-01-02T04:00:00+00:00"
    assert outlook.next_drill.isoformat() == "2026-01-04T05:00:00+00:00"


def test_nothing_is_due_while_nothing_may_begin() -> None:
    outlook = planned(case_of(schedule=SCHEDULE, suspend=True)).outlook
    assert outlook.next_run is None
    assert outlook.look_again is None


def test_a_pass_comes_right_after_the_next_moment_at_the_latest() -> None:
    wait = planned(running()).outlook.look_again
    assert wait is not None
    assert timedelta() < wait <= timedelta(hours=1)


def test_a_run_is_missed_once_it_can_begin_no_more() -> None:
    case = scheduled(running(), incremental="2026-01-02T04:00:00Z")
    assert missed(case, NOW.replace(hour=5, minute=29)) == []
    assert missed(case, NOW.replace(hour=5, minute=31)) == ["02 05:00"]
    assert missed(case, NOW.replace(hour=7, minute=31)) == ["02 05:00", "02 06:00", "02 07:00"]


def test_a_missed_run_is_counted_once() -> None:
    case = scheduled(running(), incremental="2026-01-02T04:00:00Z")
    told = {"scheduledSince": "2026-01-02T03:04:05Z", "lastMissedRun": "2026-01-02T05:00:00Z"}
    known = remembering(case, **told)
    assert missed(known, NOW.replace(hour=5, minute=59)) == []
    assert missed(known, NOW.replace(hour=6, minute=31)) == ["02 06:00"]


def test_what_began_late_was_not_missed() -> None:
    case = scheduled(running(), incremental="2026-01-02T05:00:00Z")
    assert missed(case, NOW.replace(hour=5, minute=45)) == []


def test_what_was_due_while_it_rested_was_not_missed() -> None:
    resting = settled(case_of(schedule=SCHEDULE, suspend=True))
    woken = replace(resting, spec=case_of(schedule=SCHEDULE).spec)
    now = NOW.replace(hour=9, minute=45)
    made = planned(woken, now)
    assert made.outlook.since == now
    assert made.outlook.missed == ()


def test_a_new_schedule_begins_now() -> None:
    changed: Any = {**SCHEDULE, "incremental": "*/5 * * * *"}
    case = replace(running(), spec=case_of(schedule=changed).spec)
    now = NOW.replace(hour=9, minute=45)
    assert planned(case, now).outlook.since == now
    assert missed(case, now) == []


def test_a_status_from_the_future_is_not_believed() -> None:
    case = remembering(running(), scheduledSince="2099-01-01T00:00:00Z")
    assert planned(case).outlook.since == NOW


def test_the_breach_of_an_objective_is_looked_at_when_it_comes() -> None:
    newest = {
        "id": "20260102T030000Z",
        "kind": "Full",
        "job": "j",
        "dataAsOf": "2026-01-02T03:00:00Z",
    }
    case = settled(case_of(schedule={"full": "0 3 * * *"}, objectives={"rpo": "10m"}))
    case = remembering(case, lastSets=[newest], scheduledSince="2026-01-02T03:04:05Z")
    made = planned(case)
    assert made.standing.breaches == ()
    assert made.plan.requeue_after == timedelta(minutes=5, seconds=55)
    (breach,) = planned(case, later(400)).standing.breaches
    assert breach.reason == "BackupTooOld"


def test_a_backup_that_never_came_breaks_its_objective_in_time() -> None:
    case = settled(case_of(schedule={"full": "0 3 * * *"}, objectives={"rpo": "10m"}))
    assert planned(case, later(599)).standing.breaches == ()
    (breach,) = planned(case, later(601)).standing.breaches
    assert breach.reason == "NoBackupYet"


def test_a_job_that_has_said_nothing_yet_is_looked_at_again_though_nothing_else_comes() -> None:
    silent = ended_job(words="", at=NOW.isoformat())
    assert planned(replace(case_of(), jobs=(silent,))).plan.requeue_after == timedelta(seconds=10)
    told = replace(silent, words="{}")
    assert planned(replace(case_of(), jobs=(told,))).plan.requeue_after is None
