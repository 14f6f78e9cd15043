"""What the status of a Restore says."""

from dataclasses import replace

from trading_operator.api.restore import RestoreStatus
from trading_operator.observe.restore import restore_events
from trading_operator.plan.backup.answers import read_progress
from trading_operator.plan.restore.plan import plan_restore
from unit.operator_pure.restore.restores import LATER, SAID, case, job, status_of, step
from unit.operator_pure.systems import OWNER


def test_a_failed_restore_says_why_and_leaves_all_stopped() -> None:
    said = {"outcome": "Failed", "reason": "DataDiffer", "message": "rows of orders"}
    made = step(replace(case(), jobs=(job("Failed", said),)))
    assert made.phase == "Failed"
    assert made.message.startswith("DataDiffer: rows of orders")
    assert "stays stopped" in made.message


def test_what_a_job_has_done_is_waited_for_while_its_pod_is_not_heard_of_yet() -> None:
    silent = replace(case(), jobs=(job("Succeeded"),))
    early = step(silent)
    assert early.phase == "Restoring"
    assert early.plan.requeue_after is not None
    assert step(replace(silent, jobs=(job("Succeeded", SAID),))).phase == "Succeeded"
    late = plan_restore(silent, LATER)
    assert late.phase == "Failed"
    assert late.message.startswith("its pod did not say what it had done")


def test_the_status_says_how_far_the_job_is_while_it_runs() -> None:
    said = b'{"phase": "Restoring", "target": "db", "done": 1, "total": 3, "remainingSeconds": 40}'
    of = replace(case(), jobs=(job(),), progress=read_progress(said))
    made = step(of)
    status = status_of(made, of)
    assert (status["progress"], status["remainingSeconds"]) == ("Restoring db, 2 of 3", 40)
    assert made.plan.requeue_after is not None
    over = replace(
        case(), jobs=(job("Succeeded", SAID),), before=RestoreStatus.model_validate(status)
    )
    assert "progress" not in status_of(step(over), over, status)


def test_a_forged_progress_is_nothing() -> None:
    assert read_progress(b"<html>") is None
    assert read_progress(b'{"phase": "x", "done": -1}') is None
    cut = read_progress(b'{"phase": "%s"}' % (b"x" * 4000))
    assert len(str(cut)) == 128


def test_the_status_tells_each_step_and_its_figures() -> None:
    of = case()
    first = status_of(step(of), of)
    assert first["set"] == "20260102T030000Z"
    assert (first["phase"], first["targets"]) == ("Stopping", ["db", "cache", "models"])
    assert first["system"] == OWNER.name
    done = replace(of, jobs=(job("Succeeded", SAID),), before=RestoreStatus.model_validate(first))
    last = status_of(step(done), done, first)
    assert (last["phase"], last["set"], last["seconds"]) == ("Succeeded", "20260102T030000Z", 9)
    assert last["targets"] == first["targets"]
    conditions = {each["type"]: each["status"] for each in last["conditions"]}
    assert conditions == {"Reconciling": "False", "Stalled": "False", "Succeeded": "True"}
    (event,) = restore_events(first, last)
    assert (event.type, event.reason) == ("Normal", "RestoreSucceeded")
    again = replace(done, before=RestoreStatus.model_validate(last))
    assert status_of(step(again), again, last) == last
