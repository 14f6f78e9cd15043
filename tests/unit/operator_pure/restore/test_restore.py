"""A Restore replaces nothing that was not confirmed and saved, and stops half-way for nobody."""

import json
from dataclasses import replace
from typing import Any

import pytest

from trading_backup.job import Job
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.restore import RestorePhase, RestoreStatus
from trading_operator.manifests.metadata import Manifest
from trading_operator.observe.restore import (
    invalid_restore_status,
    restore_status,
)
from trading_operator.plan.backup.requests import restore_request
from trading_operator.plan.observed import AskedBackup
from trading_operator.plan.restore.activity import find_activity
from trading_operator.plan.restore.case import SystemState
from trading_operator.plan.restore.plan import RestorePlan
from trading_operator.plan.types import Applied
from unit.operator_pure.backup.cases import (
    DAILY,
    PASSWORD,
    S3,
    backup_spec,
    case_of,
    ended_job,
    objects_of,
    planned,
    remembering,
    settled,
    source_of,
)
from unit.operator_pure.restore.restores import (
    LATER,
    READY,
    RESTORE,
    SAID,
    SETS,
    case,
    job,
    status_of,
    step,
)
from unit.operator_pure.systems import NOW, OWNER, datastore, make_pod

IN_PLACE: dict[str, Any] = {"mode": "InPlace", "confirm": OWNER.name}
STOPPING = RestoreStatus.model_validate({"phase": "Stopping", "set": "20260102T030000Z"})


def objects(made: RestorePlan, kind: str) -> dict[str, Manifest]:
    return objects_of(made.plan, kind)


def test_what_uses_the_data_stops_before_anything_is_written() -> None:
    made = step(case())
    assert (made.phase, made.plan.objects) == ("Stopping", ())
    told = replace(case(), before=STOPPING)
    pods = (make_pod("trader", "r"),)
    running = replace(told, system=replace(told.system, pods=pods))
    assert step(running).phase == "Stopping"
    assert "trader" in step(running).message
    unheard = replace(told, system=SystemState("Proven", READY | {"trader": "Ready"}))
    assert step(unheard).phase == "Stopping"
    assert step(told).phase == "Restoring"


def test_nothing_is_restored_while_a_backup_runs_or_could_begin() -> None:
    backup = settled(case_of(schedule=DAILY, verify={"restoreDrill": "@daily"}))
    awake = replace(case(backup), before=STOPPING)
    assert step(awake).message == (
        "waits until CronJob nightly-full, CronJob nightly-incremental have stopped"
    )
    asleep = settled(replace(backup, restored_by="back"))
    assert step(replace(awake, backup=asleep)).phase == "Restoring"
    running = replace(asleep, jobs=(ended_job(outcome="Running"),))
    assert step(replace(awake, backup=running)).phase == "Stopping"
    drill = replace(asleep, jobs=(ended_job(outcome="Running", run="Drill"),))
    assert step(replace(awake, backup=drill)).phase == "Restoring"
    elsewhere = replace(awake, backup=asleep, busy=("Job weekly-full-1",))
    assert "weekly-full-1" in step(elsewhere).message


def test_what_another_backup_does_or_could_begin_is_named() -> None:
    backup = settled(case_of(schedule=DAILY, verify={"restoreDrill": "@daily"}))
    jobs = (
        ended_job(outcome="Running", request="r"),
        ended_job("drill", "Drill", outcome="Running"),
        ended_job("over"),
    )
    found = list(find_activity(backup.owner, backup.observed, jobs))
    cron_jobs = ["CronJob nightly-full", "CronJob nightly-incremental"]
    assert found == [*cron_jobs, "Job nightly-full-1"]
    assert list(find_activity(backup.owner, backup.observed, jobs, "r")) == cron_jobs
    asleep = settled(replace(backup, restored_by="back"))
    assert list(find_activity(asleep.owner, asleep.observed, ())) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"hooks": {"before": [{"name": "flush", "service": "gone", "path": "/flush"}]}},
        {"targets": [{"name": "db"}, {"name": "gone"}]},
        {"schedule": {"full": "0 3 31 2 0-9"}},
    ],
    ids=lambda spec: next(iter(spec)),
)
def test_nothing_stops_for_a_backup_that_could_not_save_what_is_replaced(
    spec: dict[str, Any],
) -> None:
    backup = replace(remembering(settled(case_of()), **SETS), spec=backup_spec(**spec))
    of = replace(case(backup, **IN_PLACE, targets=["db"]), before=STOPPING)
    with pytest.raises(InvalidSpecError, match="nightly cannot save what is replaced"):
        step(of)
    unsafe = case(backup, **IN_PLACE, targets=["db"], safetyBackup=False)
    assert step(replace(unsafe, before=STOPPING)).phase in ("Stopping", "Restoring")


def test_what_the_backup_would_save_besides_is_waited_for() -> None:
    source = source_of()
    children = {ref: each for ref, each in source.children.items() if "cache" not in ref.name}
    spec = backup_spec(targets=[{"name": "db"}, {"name": "cache"}])
    backup = replace(remembering(settled(case_of()), **SETS), spec=spec)
    backup = replace(backup, source=replace(source, children=children))
    made = step(case(backup, **IN_PLACE, targets=["db"]))
    assert made.block is not None
    assert (made.block.reason, made.phase) == ("WaitingForTarget", "Pending")


def test_the_newest_set_is_chosen_once_so_that_the_safety_backup_is_not_restored() -> None:
    first = step(case(**IN_PLACE))
    assert first.set == "20260102T030000Z"
    newer = {"lastSets": [{"id": "20260103T030000Z", "kind": "Full", "job": "j"}]}
    later = replace(
        case(remembering(settled(case_of()), **newer), **IN_PLACE),
        before=STOPPING,
        saved=AskedBackup("Succeeded"),
    )
    made = step(later)
    assert (made.phase, made.set) == ("Restoring", "20260102T030000Z")
    (config,) = objects(made, "ConfigMap").values()
    (text,) = config["data"].values()
    assert json.loads(text)["restore"]["set"] == "20260102T030000Z"


def test_where_no_set_is_known_the_newest_one_is_found_by_the_program_or_named() -> None:
    unknown = settled(case_of())
    assert step(case(unknown)).set == ""
    replacing = step(case(unknown, **IN_PLACE))
    assert replacing.block is not None
    assert replacing.block.reason == "SetNotKnown"
    named = step(case(unknown, **IN_PLACE, set="20260102T030000Z"))
    assert named.phase == "Stopping"


def test_the_job_is_told_of_the_set_its_targets_and_the_mode() -> None:
    of = replace(case(set="20260102T030000Z", targets=["db", "models"]), before=STOPPING)
    plan = step(of).plan
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
    wrong = step(case(mode="InPlace", confirm="another"))
    assert wrong.block is not None
    assert wrong.block.reason == "NotConfirmed"
    assert step(case(**IN_PLACE)).phase == "Stopping"
    of = replace(case(**IN_PLACE), before=STOPPING)
    assert step(of).phase == "Saving"
    saving = replace(of, saved=AskedBackup("Running"))
    assert step(saving).phase == "Saving"
    failed = step(replace(of, saved=AskedBackup("Failed", "disk full")))
    assert failed.phase == "Failed"
    assert "nothing was replaced" in failed.message
    assert step(replace(of, saved=AskedBackup("Succeeded"))).phase == "Restoring"
    unsafe = replace(case(**IN_PLACE, safetyBackup=False), before=STOPPING)
    assert step(unsafe).phase == "Restoring"


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
    made = step(replace(case(), **changes))
    assert made.phase == "Pending"
    assert made.block is not None
    assert made.block.reason == reason
    assert made.plan.objects == ()


@pytest.mark.parametrize("phase", ["Stopping", "Saving"])
@pytest.mark.parametrize(
    "changes",
    [
        {"system": SystemState("Proven", READY | {"db": "Starting"})},
        {"system": SystemState("", READY)},
        {"backup": settled(case_of(source_of(paused=True)))},
    ],
)
def test_what_passes_by_itself_starts_nobody_whom_it_has_stopped(phase: str, changes: Any) -> None:
    before = STOPPING.model_copy(update={"phase": RestorePhase(phase), "targets": ["db"]})
    of = replace(case(**IN_PLACE), before=before, saved=AskedBackup("Succeeded"), **changes)
    made = step(of)
    assert (made.phase, made.plan.objects) == (phase, ())
    assert made.block is not None
    assert made.plan.requeue_after is not None
    assert status_of(made, of)["targets"] == ["db"]
    assert step(replace(of, backup=None)).phase == "Pending"
    assert step(replace(of, rival="other")).phase == "Pending"
    # A change that began before the system had heard of the Restore ends with all running alone.
    changing = SystemState("RollingOut", READY | {"db": "Starting"})
    assert step(replace(of, system=changing)).phase == "Pending"


def test_what_was_saved_counts_only_for_the_stop_that_it_was_saved_in() -> None:
    of = case(**IN_PLACE)
    first = status_of(step(of), of)
    assert first["heldSince"] == "2026-01-02T03:04:05Z"
    stopped = replace(of, before=RestoreStatus.model_validate(first))
    later = restore_status(Applied(step(stopped).plan, {}), step(stopped), stopped, first, LATER)
    assert (later["phase"], later["heldSince"]) == ("Saving", first["heldSince"])
    gone = replace(stopped, backup=None)
    pending = status_of(step(gone), gone, later)
    assert "heldSince" not in pending
    again = replace(of, before=RestoreStatus.model_validate(pending))
    anew = restore_status(Applied(step(again).plan, {}), step(again), again, pending, LATER)
    assert anew["heldSince"] > first["heldSince"]
    requests = [restore_request(RESTORE.uid, each["heldSince"]) for each in (first, anew)]
    assert requests[0] != requests[1]


def test_a_physical_copy_goes_into_no_running_database() -> None:
    store = datastore(parameters={"summarize_wal": "on"})
    targets = [{"name": "db", "method": "Physical"}]
    backup = settled(case_of(source_of(datastores=[store]), targets=targets))
    made = step(case(backup))
    assert made.block is not None
    assert made.block.reason == "PhysicalRestore"


def test_a_target_that_the_backup_does_not_have_is_refused() -> None:
    backup = settled(case_of(targets=[{"name": "db"}]))
    with pytest.raises(InvalidSpecError, match="has no cache"):
        step(case(backup, targets=["cache"]))


def test_what_has_begun_goes_on_whatever_becomes_of_its_surroundings() -> None:
    of = replace(case(), backup=None, jobs=(job(),), rival="other")
    assert step(of).phase == "Restoring"
    done = replace(of, jobs=(job("Succeeded", SAID),))
    assert step(done).phase == "Succeeded"


def test_a_spec_that_makes_no_sense_any_more_lets_go_of_what_has_not_begun() -> None:
    error = InvalidSpecError("targets[0]", "gone", "mend it")
    held = {"phase": "Stopping", "system": "x", "heldSince": "2026-01-02T03:00:00Z"}
    stopping = invalid_restore_status(RESTORE, error, held, NOW)
    assert (stopping["phase"], stopping["system"]) == ("Pending", "x")
    assert "heldSince" not in stopping
    assert invalid_restore_status(RESTORE, error, None, NOW)["phase"] == "Pending"
    begun = {"phase": "Restoring", "job": "back-restore"}
    assert invalid_restore_status(RESTORE, error, begun, NOW)["phase"] == "Restoring"


def test_what_cannot_be_restored_at_all_stops_nobody() -> None:
    store = {"s3": {**S3["s3"], "egress": [{"cidr": "10.0.0.0/33", "ports": [443]}]}}
    backup = case_of(destination=store, encryption=PASSWORD)
    with pytest.raises(InvalidSpecError, match=r"egress\[0\]"):
        step(case(backup, set="20260102T030000Z"))


def test_a_hook_whose_service_is_gone_holds_no_restore_up() -> None:
    hooks = {"before": [{"name": "flush", "service": "gone", "path": "/flush"}]}
    backup = remembering(settled(case_of()), **SETS)
    spec = backup_spec(hooks=hooks)
    made = step(replace(case(replace(backup, spec=spec)), before=STOPPING))
    assert made.phase == "Restoring"


def test_a_restore_with_the_name_of_its_backup_takes_no_object_of_it() -> None:
    of = case_of(schedule=DAILY)
    backups = {(each["kind"], each["metadata"]["name"]) for each in planned(of).plan.objects}
    told = replace(case(), before=STOPPING)
    made = step(replace(told, owner=replace(RESTORE, name=of.owner.name))).plan.objects
    names = {(each["kind"], each["metadata"]["name"]) for each in made}
    assert {kind for kind, _ in names} >= {"NetworkPolicy", "ConfigMap", "Job"}
    assert not names & backups


def test_a_job_that_is_gone_is_not_made_again() -> None:
    before = RestoreStatus.model_validate({"phase": "Restoring", "job": "back-restore"})
    made = step(replace(case(), before=before))
    assert (made.phase, made.plan.objects) == ("Failed", ())
    assert made.message.startswith("its Job is gone")


def test_what_is_over_is_never_done_again() -> None:
    for phase in ("Succeeded", "Failed"):
        over = replace(case(), before=RestoreStatus.model_validate({"phase": phase}))
        made = step(over)
        assert (made.phase, made.plan.objects) == (phase, ())
