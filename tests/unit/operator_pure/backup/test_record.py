"""What runs say is taken over once, and only what surely went well counts as a backup."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_operator.api.backup_status import MAX_REQUESTS, BackupStatus
from trading_operator.plan.backup.answers import read_answer
from trading_operator.plan.backup.case import JobFacts
from trading_operator.plan.backup.record import Record, take_record
from unit.operator_pure.backup.cases import ended_job

FIRST = ended_job(
    said={"bytes": 2048, "sets": 4, "dataAsOf": "2026-01-02T02:59:00Z", "message": "m"}
)
SECOND = ended_job(
    "nightly-incremental-2",
    "Incremental",
    "2026-01-02T04:00:00Z",
    said={"set": "20260102T040000Z", "sets": 5, "dataAsOf": "2026-01-02T03:59:00Z"},
)
DRILL = ended_job(
    "nightly-drill-1",
    "Drill",
    "2026-01-02T05:00:00Z",
    said={
        "rtoSeconds": 12.4,
        "compared": 7,
        "comparison": [
            {
                "target": "db",
                "fact": "rows of public.orders",
                "expected": "1",
                "found": "1",
                "equal": True,
            }
        ],
    },
)

DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")
LATER = datetime(2026, 3, 1, tzinfo=UTC)


def record_of(*jobs: JobFacts, before: BackupStatus | None = None, now: datetime = LATER) -> Record:
    return take_record(before or BackupStatus(), jobs, now)


def told(record: Record) -> BackupStatus:
    """Return the status that remembers a record."""
    return BackupStatus(
        last_run=record.last_run,
        last_drill=record.last_drill,
        last_sets=list(record.last_sets),
        sets=record.sets,
        last_verified_restore=record.verified,
        last_comparison=list(record.differing),
        requests=list(record.requests),
    )


def failed(job: JobFacts, **said: Any) -> JobFacts:
    words = json.dumps({"outcome": "Failed", "reason": "DumpFailed", "message": "no", **said})
    return replace(job, outcome="Failed", words=words, reason="BackoffLimitExceeded")


def test_a_set_is_known_with_all_that_its_run_said() -> None:
    record = record_of(FIRST)
    (newest,) = record.last_sets
    assert (newest.id, newest.bytes, newest.job) == ("20260102T030000Z", 2048, FIRST.name)
    assert newest.data_as_of == "2026-01-02T02:59:00Z"
    assert record.sets == 4
    assert record.last_run is not None
    assert record.last_run.outcome == "Succeeded"


def test_the_newest_set_comes_first_and_the_gap_is_between_their_data() -> None:
    record = record_of(SECOND, FIRST)
    assert [each.id for each in record.last_sets] == ["20260102T040000Z", "20260102T030000Z"]
    assert record.gap is not None
    assert record.gap.total_seconds() == 3600
    assert record.last_run is not None
    assert record.last_run.job == SECOND.name


@given(st.permutations([FIRST, SECOND, DRILL]), st.integers(0, 3))
def test_taking_over_again_changes_nothing_and_jobs_may_go(order: list[JobFacts], at: int) -> None:
    once = record_of(*order)
    again = record_of(*order, before=told(once))
    assert again == once
    assert record_of(*order[at:], before=told(once)) == once


@pytest.mark.parametrize(
    "words",
    [
        "",
        "killed",
        "{}",
        '{"outcome": "Succeeded"}',
        '{"outcome": "Succeeded", "set": "../x"}',
        "[]",
    ],
)
def test_a_job_whose_pod_says_nothing_of_use_made_no_backup(words: str) -> None:
    record = record_of(replace(FIRST, words=words))
    assert record.last_sets == ()
    assert record.last_run is not None
    assert (record.last_run.outcome, record.last_run.reason) == ("Failed", "NoAnswerOfThePod")


@pytest.mark.parametrize("words", ["", "killed"])
def test_a_job_whose_pod_is_gone_keeps_the_verdict_that_it_had(words: str) -> None:
    fact = {"target": "db", "fact": "keys", "expected": "2", "found": "1", "equal": False}
    lost = replace(failed(DRILL, comparison=[fact]), ended_at="2026-01-09T05:00:00Z")
    asked = replace(SECOND, request="once")
    known = record_of(FIRST, asked, DRILL, lost)
    drained = [replace(each, words=words) for each in (FIRST, asked, DRILL, lost)]
    assert record_of(*drained, before=told(known)) == known
    assert record_of(drained[1], drained[3], before=told(known)) == known


def test_a_job_that_is_complete_before_its_pod_is_heard_of_has_not_ended() -> None:
    silent = replace(FIRST, words="", request="once")
    soon = record_of(silent, now=datetime(2026, 1, 2, 3, 0, 59, tzinfo=UTC))
    assert ([each.job for each in soon.running], soon.last_run) == ([FIRST.name], None)
    assert soon.requests[0].outcome == "Running"
    late = record_of(silent, now=datetime(2026, 1, 2, 3, 1, tzinfo=UTC))
    assert (late.running, late.requests[0].outcome) == ((), "Failed")
    known = told(record_of(FIRST))
    assert record_of(silent, before=known, now=datetime(2026, 1, 2, 3, tzinfo=UTC)).running == ()


def test_an_answer_that_comes_late_takes_the_verdict_of_silence_back() -> None:
    silent = record_of(replace(FIRST, words=""))
    assert silent.last_run is not None
    assert silent.last_run.outcome == "Failed"
    assert record_of(FIRST, before=told(silent)) == record_of(FIRST)


def test_a_program_that_says_well_in_a_job_that_failed_made_no_backup() -> None:
    record = record_of(replace(FIRST, outcome="Failed", reason="DeadlineExceeded", message="late"))
    assert record.last_sets == ()
    assert record.last_run is not None
    assert record.last_run.reason == "DeadlineExceeded"


def test_a_failure_is_told_in_the_programs_own_words() -> None:
    record = record_of(failed(SECOND), before=told(record_of(FIRST)))
    assert [each.id for each in record.last_sets] == ["20260102T030000Z"]
    assert record.last_run is not None
    assert (record.last_run.reason, record.last_run.message) == ("DumpFailed", "no")


def test_retention_shortens_what_is_told() -> None:
    last = ended_job(
        "z", "Full", "2026-01-03T03:00:00Z", said={"set": "20260103T030000Z", "sets": 1}
    )
    assert [each.id for each in record_of(FIRST, SECOND, last).last_sets] == ["20260103T030000Z"]


def test_a_set_that_a_run_has_deleted_is_told_no_more() -> None:
    third = ended_job(
        "nightly-full-3",
        at="2026-01-03T03:00:00Z",
        said={
            "set": "20260103T030000Z",
            "sets": 2,
            "kept": ["20260103T030000Z", "20260102T030000Z"],
        },
    )
    # Retention keeps the older one, which a drill has proven, and not the one after it.
    left = ["20260103T030000Z", "20260102T030000Z"]
    record = record_of(FIRST, SECOND, third)
    assert [each.id for each in record.last_sets] == left
    # What made it says so for as long as its Job is there.
    gone = replace(third, words="")
    for jobs in ((FIRST, SECOND), (FIRST, SECOND, gone)):
        again = record_of(*jobs, before=told(record))
        assert [each.id for each in again.last_sets] == left


def test_a_drill_that_went_well_proves_a_restore_and_is_no_backup() -> None:
    record = record_of(FIRST, DRILL)
    assert record.verified is not None
    assert (record.verified.set, record.verified.rto_seconds) == ("20260102T030000Z", 12)
    assert record.verified.compared == 7
    assert len(record.last_sets) == 1
    assert record.last_run is not None
    assert record.last_run.job == FIRST.name


def test_a_drill_that_differs_says_where_and_takes_nothing_back() -> None:
    fact = {"target": "db", "fact": "rows of public.orders", "expected": "2", "found": "1"}
    comparison = [{**fact, "equal": False}, {**fact, "equal": True}]
    later = replace(failed(DRILL, comparison=comparison), ended_at="2026-01-09T05:00:00Z")
    record = record_of(later, before=told(record_of(FIRST, DRILL)))
    assert [each.found for each in record.differing] == ["1"]
    assert record.verified is not None
    assert record.verified.at == "2026-01-02T05:00:00Z"
    assert record.last_drill is not None
    assert record.last_drill.outcome == "Failed"
    mended = replace(DRILL, name="nightly-drill-3", ended_at="2026-01-16T05:00:00Z")
    assert record_of(mended, before=told(record)).differing == ()


def test_what_runs_says_why_it_waits() -> None:
    waiting = JobFacts("nightly-full-2", "Full", waits="Unschedulable: no node fits")
    (run,) = record_of(waiting).running
    assert (run.outcome, run.message) == ("Running", "Unschedulable: no node fits")


def test_a_request_is_followed_to_its_end_and_not_lost_while_it_stands() -> None:
    asked = JobFacts("nightly-once", "Full", request="once", created_at="2026-01-02T00:00:00Z")
    (request,) = record_of(asked).requests
    assert (request.id, request.outcome, request.set) == ("once", "Running", None)
    said = {"targets": [{"name": "db", "bytes": 5}, {"name": "cache"}, {"name": "db"}]}
    done = ended_job("nightly-once", said=said, request="once")
    (request,) = record_of(done, before=told(record_of(asked))).requests
    assert (request.outcome, request.set) == ("Succeeded", "20260102T030000Z")
    assert request.targets == ["db", "cache"]
    (request,) = record_of(replace(done, outcome="Failed")).requests
    assert (request.set, request.targets) == (None, [])
    many = [
        replace(FIRST, name=f"j{at}", request=f"r{at:02}", created_at=f"2026-02-02T00:00:{at:02}Z")
        for at in range(MAX_REQUESTS + 5)
    ]
    standing = frozenset({"once", "r02"})
    kept = take_record(told(record_of(done)), many, LATER, standing).requests
    assert len(kept) == MAX_REQUESTS
    assert kept[0].id == "r14"
    assert [each.id for each in kept[-3:]] == ["r07", "r02", "once"]


def test_requests_stay_in_their_order_whichever_pods_are_gone() -> None:
    asked = [replace(each, request=each.name) for each in (FIRST, SECOND)]
    known = record_of(*asked)
    drained = replace(asked[1], words="")
    assert record_of(asked[0], drained, before=told(known)).requests == known.requests


def test_jobs_of_another_kind_of_run_are_left_alone() -> None:
    assert record_of(replace(FIRST, run="Restore")) == Record()


@given(st.text(max_size=200) | st.binary(max_size=50).map(lambda b: b.decode("latin-1")))
def test_no_termination_message_breaks_a_pass(words: str) -> None:
    read_answer(words)
    record_of(replace(FIRST, words=words))


@pytest.mark.parametrize("run", ["Full", "Drill"])
@given(
    target=st.text(max_size=40),
    moment=st.sampled_from(
        ["20260102", "2026-01-02", "0900-01-01", "0001-01-01T00:00:00+14:00", "soon", 7]
    ),
)
def test_what_an_answer_says_fits_into_the_status_or_is_not_taken(
    run: str, target: str, moment: str | int
) -> None:
    fact = {"target": target, "fact": "keys", "expected": "1", "found": "2", "equal": False}
    job = ended_job(run=run, said={"dataAsOf": moment, "comparison": [fact]})
    record = record_of(job, replace(job, name="other", outcome="Failed"))
    status = told(record).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert BackupStatus.model_validate(status)
    times = [each.get("dataAsOf") for each in status["lastSets"]]
    assert all(each is None or DATE_TIME.match(each) for each in times)


def test_a_moment_is_told_as_the_api_writes_times() -> None:
    (made,) = record_of(ended_job(said={"dataAsOf": "2026-01-02T04:59:00.5+02:00"})).last_sets
    assert made.data_as_of == "2026-01-02T02:59:00Z"


def test_a_long_answer_is_cut_to_what_the_status_may_hold() -> None:
    answer = read_answer(
        json.dumps({"outcome": "Succeeded", "message": "m" * 5000, "warnings": ["w" * 5000] * 100})
    )
    assert answer is not None
    assert len(answer.message) == 1024
    assert len(answer.warnings) == 64
    long = ended_job(said={"warnings": ["w" * 5000] * 100, "message": "m" * 5000})
    assert BackupStatus(last_sets=list(record_of(long).last_sets))
