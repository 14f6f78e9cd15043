"""A Restore replaces nothing that was not confirmed and saved, and stops half-way for nobody."""

import json
from dataclasses import replace
from typing import Any

import pytest

from trading_backup.job import Job
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.restore import RestoreSpec, RestoreStatus
from trading_operator.manifests.metadata import Manifest, Owner
from trading_operator.observe.restore import (
    invalid_restore_status,
    restore_events,
    restore_status,
)
from trading_operator.plan.backup.answers import read_progress
from trading_operator.plan.backup.case import Case, JobFacts
from trading_operator.plan.restore.case import RestoreCase, SystemState
from trading_operator.plan.restore.plan import RestorePlan, plan_restore
from trading_operator.plan.types import Applied, AskedBackup, Observed
from unit.operator_pure.backup.cases import (
    DAILY,
    OPERAND,
    case_of,
    ended_job,
    objects_of,
    remembering,
    settled,
    source_of,
)
from unit.operator_pure.systems import NOW, OWNER, datastore, make_pod

RESTORE = Owner("tradingoperator.io/v1alpha1", "Restore", "back", "desk", "uid-r", 1)
IN_PLACE: dict[str, Any] = {"mode": "InPlace", "confirm": OWNER.name}
READY = {"db": "Ready", "cache": "Ready", "trader": "Stopped"}
STOPPING = RestoreStatus.model_validate({"phase": "Stopping", "set": "20260102T030000Z"})
SETS = {"lastSets": [{"id": "20260102T030000Z", "kind": "Full", "job": "j"}]}
SAID = {"outcome": "Succeeded", "set": "20260102T030000Z", "rtoSeconds": 9}


def case(backup: Case | None = None, **fields: Any) -> RestoreCase:
    spec = RestoreSpec.model_validate({"backup": "nightly", **fields})
    return RestoreCase(
        owner=RESTORE,
        spec=spec,
        observed=Observed(),
        operand=OPERAND,
        backup=backup or remembering(settled(case_of()), **SETS),
        system=SystemState("Proven", READY),
    )


def job(outcome: str = "Running", said: Any = None) -> JobFacts:
    ended = "" if outcome == "Running" else "2026-01-02T03:04:00Z"
    words = "" if said is None else json.dumps(said)
    return JobFacts("back-restore", "Restore", outcome=outcome, ended_at=ended, words=words)


def status_of(made: RestorePlan, of: RestoreCase, previous: Any = None) -> dict[str, Any]:
    return restore_status(Applied(made.plan, {}), made, of, previous, NOW)


def objects(made: RestorePlan, kind: str) -> dict[str, Manifest]:
    return objects_of(made.plan, kind)


def test_what_uses_the_data_stops_before_anything_is_written() -> None:
    made = plan_restore(case())
    assert (made.phase, made.plan.objects) == ("Stopping", ())
    told = replace(case(), before=STOPPING)
    pods = (make_pod("trader", "r"),)
    running = replace(told, system=replace(told.system, pods=pods))
    assert plan_restore(running).phase == "Stopping"
    assert "trader" in plan_restore(running).message
    unheard = replace(told, system=SystemState("Proven", READY | {"trader": "Ready"}))
    assert plan_restore(unheard).phase == "Stopping"
    assert plan_restore(told).phase == "Restoring"


def test_nothing_is_restored_while_a_backup_runs_or_could_begin() -> None:
    backup = settled(case_of(schedule=DAILY, verify={"restoreDrill": "@daily"}))
    awake = replace(case(backup), before=STOPPING)
    assert plan_restore(awake).message == (
        "waits until CronJob nightly-full, CronJob nightly-incremental have stopped"
    )
    asleep = settled(replace(backup, restored_by="back"))
    assert plan_restore(replace(awake, backup=asleep)).phase == "Restoring"
    running = replace(asleep, jobs=(ended_job(outcome="Running"),))
    assert plan_restore(replace(awake, backup=running)).phase == "Stopping"
    drill = replace(asleep, jobs=(ended_job(outcome="Running", run="Drill"),))
    assert plan_restore(replace(awake, backup=drill)).phase == "Restoring"
    elsewhere = replace(awake, backup=asleep, busy=("Job weekly-full-1",))
    assert "weekly-full-1" in plan_restore(elsewhere).message


def test_the_newest_set_is_chosen_once_so_that_the_safety_backup_is_not_restored() -> None:
    first = plan_restore(case(**IN_PLACE))
    assert first.set == "20260102T030000Z"
    newer = {"lastSets": [{"id": "20260103T030000Z", "kind": "Full", "job": "j"}]}
    later = replace(
        case(remembering(settled(case_of()), **newer), **IN_PLACE),
        before=STOPPING,
        saved=AskedBackup("Succeeded"),
    )
    made = plan_restore(later)
    assert (made.phase, made.set) == ("Restoring", "20260102T030000Z")
    (config,) = objects(made, "ConfigMap").values()
    (text,) = config["data"].values()
    assert json.loads(text)["restore"]["set"] == "20260102T030000Z"


def test_where_no_set_is_known_the_newest_one_is_found_by_the_program_or_named() -> None:
    unknown = settled(case_of())
    assert plan_restore(case(unknown)).set == ""
    replacing = plan_restore(case(unknown, **IN_PLACE))
    assert replacing.block is not None
    assert replacing.block.reason == "SetNotKnown"
    named = plan_restore(case(unknown, **IN_PLACE, set="20260102T030000Z"))
    assert named.phase == "Stopping"


def test_the_job_is_told_of_the_set_its_targets_and_the_mode() -> None:
    of = replace(case(set="20260102T030000Z", targets=["db", "models"]), before=STOPPING)
    plan = plan_restore(of).plan
    made = {each["kind"]: each for each in plan.objects}
    assert set(made) == {"ConfigMap", "NetworkPolicy", "Job"}
    (text,) = made["ConfigMap"]["data"].values()
    told = Job.model_validate_json(text)
    assert (told.restore.set, told.restore.mode) == ("20260102T030000Z", "Empty")
    assert told.restore.id == RESTORE.uid
    assert told.restore.targets == ("db", "models")
    pod = made["Job"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"][-1] == "restore"
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "target-models"]
    assert "readOnly" not in mount
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert volumes["repository"]["persistentVolumeClaim"]["claimName"] == "nightly-repository"
    for each in made.values():
        assert each["metadata"]["ownerReferences"][0]["uid"] == RESTORE.uid


def test_data_are_replaced_only_by_name_and_after_they_were_saved() -> None:
    wrong = plan_restore(case(mode="InPlace", confirm="another"))
    assert wrong.block is not None
    assert wrong.block.reason == "NotConfirmed"
    assert plan_restore(case(**IN_PLACE)).phase == "Stopping"
    of = replace(case(**IN_PLACE), before=STOPPING)
    assert plan_restore(of).phase == "Saving"
    saving = replace(of, saved=AskedBackup("Running"))
    assert plan_restore(saving).phase == "Saving"
    failed = plan_restore(replace(of, saved=AskedBackup("Failed", "disk full")))
    assert failed.phase == "Failed"
    assert "nothing was replaced" in failed.message
    assert plan_restore(replace(of, saved=AskedBackup("Succeeded"))).phase == "Restoring"
    unsafe = replace(case(**IN_PLACE, safetyBackup=False), before=STOPPING)
    assert plan_restore(unsafe).phase == "Restoring"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"backup": None}, "BackupNotFound"),
        ({"backup": replace(case_of(), source=None)}, "SystemNotFound"),
        ({"backup": settled(case_of(source_of(paused=True)))}, "SystemNotReady"),
        ({"backup": settled(case_of(source_of(hibernated=True)))}, "SystemNotReady"),
        ({"system": SystemState("RollingOut", READY)}, "SystemNotReady"),
        ({"system": SystemState("Proven", READY | {"db": "Starting"})}, "WaitingForTarget"),
        ({"rival": "other"}, "WaitingForRestore"),
    ],
)
def test_it_waits_for_what_must_be_there_first(changes: Any, reason: str) -> None:
    made = plan_restore(replace(case(), **changes))
    assert made.phase == "Pending"
    assert made.block is not None
    assert made.block.reason == reason
    assert made.plan.objects == ()


def test_a_physical_copy_goes_into_no_running_database() -> None:
    store = datastore(parameters={"summarize_wal": "on"})
    targets = [{"name": "db", "method": "Physical"}]
    backup = settled(case_of(source_of(datastores=[store]), targets=targets))
    made = plan_restore(case(backup))
    assert made.block is not None
    assert made.block.reason == "PhysicalRestore"


def test_a_target_that_the_backup_does_not_have_is_refused() -> None:
    backup = settled(case_of(targets=[{"name": "db"}]))
    with pytest.raises(InvalidSpecError, match="has no cache"):
        plan_restore(case(backup, targets=["cache"]))


def test_what_has_begun_goes_on_whatever_becomes_of_its_surroundings() -> None:
    of = replace(case(), backup=None, jobs=(job(),), rival="other")
    assert plan_restore(of).phase == "Restoring"
    done = replace(of, jobs=(job("Succeeded", SAID),))
    assert plan_restore(done).phase == "Succeeded"


def test_a_spec_that_makes_no_sense_any_more_lets_go_of_what_has_not_begun() -> None:
    error = InvalidSpecError("targets[0]", "gone", "mend it")
    stopping = invalid_restore_status(RESTORE, error, {"phase": "Stopping", "system": "x"}, NOW)
    assert (stopping["phase"], stopping["system"]) == ("Pending", "x")
    assert invalid_restore_status(RESTORE, error, None, NOW)["phase"] == "Pending"
    begun = {"phase": "Restoring", "job": "back-restore"}
    assert invalid_restore_status(RESTORE, error, begun, NOW)["phase"] == "Restoring"


def test_a_job_that_is_gone_is_not_made_again() -> None:
    before = RestoreStatus.model_validate({"phase": "Restoring", "job": "back-restore"})
    made = plan_restore(replace(case(), before=before))
    assert (made.phase, made.plan.objects) == ("Failed", ())
    assert made.message.startswith("its Job is gone")


def test_what_is_over_is_never_done_again() -> None:
    for phase in ("Succeeded", "Failed"):
        over = replace(case(), before=RestoreStatus.model_validate({"phase": phase}))
        made = plan_restore(over)
        assert (made.phase, made.plan.objects) == (phase, ())


def test_a_failed_restore_says_why_and_leaves_all_stopped() -> None:
    said = {"outcome": "Failed", "reason": "DataDiffer", "message": "rows of orders"}
    made = plan_restore(replace(case(), jobs=(job("Failed", said),)))
    assert made.phase == "Failed"
    assert made.message.startswith("DataDiffer: rows of orders")
    assert "stays stopped" in made.message
    silent = plan_restore(replace(case(), jobs=(job("Succeeded"),)))
    assert silent.phase == "Failed"


def test_the_status_says_how_far_the_job_is_while_it_runs() -> None:
    said = b'{"phase": "Restoring", "target": "db", "done": 1, "total": 3, "remainingSeconds": 40}'
    of = replace(case(), jobs=(job(),), progress=read_progress(said))
    made = plan_restore(of)
    status = status_of(made, of)
    assert (status["progress"], status["remainingSeconds"]) == ("Restoring db, 2 of 3", 40)
    assert made.plan.requeue_after is not None
    over = replace(
        case(), jobs=(job("Succeeded", SAID),), before=RestoreStatus.model_validate(status)
    )
    assert "progress" not in status_of(plan_restore(over), over, status)


def test_a_forged_progress_is_nothing() -> None:
    assert read_progress(b"<html>") is None
    assert read_progress(b'{"phase": "x", "done": -1}') is None
    cut = read_progress(b'{"phase": "%s"}' % (b"x" * 4000))
    assert len(str(cut)) == 128


def test_the_status_tells_each_step_and_its_figures() -> None:
    of = case()
    first = status_of(plan_restore(of), of)
    assert first["set"] == "20260102T030000Z"
    assert (first["phase"], first["targets"]) == ("Stopping", ["db", "cache", "models"])
    assert first["system"] == OWNER.name
    done = replace(of, jobs=(job("Succeeded", SAID),), before=RestoreStatus.model_validate(first))
    last = status_of(plan_restore(done), done, first)
    assert (last["phase"], last["set"], last["seconds"]) == ("Succeeded", "20260102T030000Z", 9)
    assert last["targets"] == first["targets"]
    conditions = {each["type"]: each["status"] for each in last["conditions"]}
    assert conditions == {"Reconciling": "False", "Stalled": "False", "Succeeded": "True"}
    (event,) = restore_events(first, last)
    assert (event.type, event.reason) == ("Normal", "RestoreSucceeded")
    again = replace(done, before=RestoreStatus.model_validate(last))
    assert status_of(plan_restore(again), again, last) == last
