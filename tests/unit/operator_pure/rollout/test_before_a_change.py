"""What a change waits for before it begins, and what a person may do about one."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.plan.backup.case import Wish
from trading_operator.plan.backup.requests import request_of
from trading_operator.plan.observed import AskedBackup, BackupFacts, Capacity, Quota
from unit.operator_pure.rollout.worlds import Desk, desk
from unit.operator_pure.systems import OWNER, datastore, make_spec, service

BROKER = [{"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}]


def _digest(world: Desk, spec: Any) -> str:
    return world.plan(spec).desired_revision


@pytest.mark.acceptance("C56", "C57")
def test_a_change_that_cannot_be_carried_out_touches_nothing_and_names_everything(
    settled: Desk,
) -> None:
    spec = make_spec(
        datastores=[datastore()],
        services=[
            service("feed", "db", image="Feed:2", env=BROKER),
            service("strategy", "feed", "db", image="strategy:2", env=BROKER),
            service("added", image="added:2", env=BROKER),
        ],
        configs=[{"name": "c", "configMapRef": "absent"}],
        rollout={"bakeTime": "60s"},
    )
    settled.run(spec)
    assert settled.images()["strategy"] == "strategy:1"
    assert "added" not in settled.images()
    validated = settled.condition("Validated")
    assert (validated["status"], validated["reason"]) == ("False", "ValidationFailed")
    for said in ("feed: ", "strategy: ", "added: ", "Secret broker", "Feed:2 is no image name"):
        assert said in validated["message"]
    assert settled.condition("Stalled")["status"] == "True"
    assert settled.condition("Available")["status"] == "True"
    lines = {line["name"]: line for line in settled.status["components"]}
    assert (lines["added"]["state"], lines["added"]["reason"]) == ("Blocked", "SecretNotFound")
    assert (lines["feed"]["state"], lines["feed"]["reason"]) == ("Blocked", "SecretNotFound")
    assert settled.status["rollout"]["phase"] == "Held"
    assert settled.status["revision"] != settled.status["desiredRevision"]
    assert settled.world.written == []


@pytest.mark.acceptance("C58")
def test_a_quota_without_room_holds_a_change_and_says_how_much_is_missing(settled: Desk) -> None:
    quota = Quota(
        "desk", {"requests.cpu": "2", "pods": "9"}, {"requests.cpu": "1500m", "pods": "3"}
    )
    big = {"requests": {"cpu": "600m"}}
    held = settled.step(desk("2", resources=big), capacity=Capacity((quota,)))
    assert held.rollout is not None
    assert held.rollout.hold is not None
    assert "requests.cpu 0.6 more, and ResourceQuota desk has 0.5 left" in held.rollout.hold.message
    small = {"requests": {"cpu": "400m"}}
    plan = settled.step(desk("2", resources=small), capacity=Capacity((quota,)))
    assert plan.rollout is not None
    assert plan.rollout.hold is None


@pytest.mark.acceptance("C58")
def test_a_pod_that_fits_on_no_node_of_now_is_warned_of_and_tried(settled: Desk) -> None:
    nodes = ({"cpu": "8", "memory": "16Gi"},)
    big = {"requests": {"cpu": "9"}}
    plan = settled.step(desk("2", resources=big), capacity=Capacity((), nodes))
    assert plan.rollout is not None
    assert plan.rollout.hold is None
    validated = settled.condition("Validated")
    assert (validated["status"], validated["reason"]) == ("True", "Warnings")
    assert "no node of now has room for cpu 9" in validated["message"]


@pytest.mark.acceptance("X14", "X17")
@pytest.mark.parametrize(
    ("store", "said"),
    [
        (
            datastore(
                parameters={
                    "shared_buffers": "512MB",
                    "max_connections": "200",
                    "work_mem": "8MB",
                },
                resources={"limits": {"memory": "2Gi"}},
            ),
            "2112 MiB",
        ),
        (
            datastore(
                "cache",
                "Redis",
                parameters={"maxmemory": "2gb"},
                resources={"limits": {"memory": "2Gi"}},
            ),
            "maxmemory: 2gb",
        ),
    ],
)
def test_parameters_that_may_not_fit_are_warned_of(store: dict[str, Any], said: str) -> None:
    world = Desk()
    services = [service("a", store["name"])]
    world.settle(make_spec(datastores=[{**store, "parameters": {}}], services=services))
    world.step(make_spec(datastores=[store], services=services))
    assert said in world.condition("Validated")["message"]
    assert world.condition("Validated")["status"] == "True"


def test_room_is_looked_for_before_a_change_alone_and_also_for_one_that_waits(
    settled: Desk,
) -> None:
    assert not settled.plan(desk("1"), capacity=None).wants_capacity
    manual = desk("2", rollout={"approval": "Manual"})
    assert settled.plan(manual, capacity=None).wants_capacity
    plan = settled.plan(desk("2"), capacity=None)
    assert plan.wants_capacity
    assert plan.revision != plan.desired_revision
    quota = Quota("desk", {"pods": "3"}, {"pods": "3"})
    held = settled.step(manual, capacity=Capacity((quota,)))
    assert held.rollout is not None
    assert held.rollout.hold is not None
    assert "ResourceQuota desk" in held.rollout.hold.message


def test_components_that_change_in_turn_need_room_for_one_at_a_time(settled: Desk) -> None:
    # Both services make one pod more while they change, one after the other.
    quota = Quota("desk", {"pods": "4"}, {"pods": "3"})
    plan = settled.step(desk("2"), capacity=Capacity((quota,)))
    assert plan.rollout is not None
    assert plan.rollout.hold is None


def test_a_change_waits_for_the_approval_of_exactly_its_revision(settled: Desk) -> None:
    spec = desk("2", rollout={"approval": "Manual"})
    settled.run(spec)
    assert settled.condition("Ready")["reason"] == "WaitingForApproval"
    digest = _digest(settled, spec)
    assert f"tradingoperator.io/approve={digest}" in settled.condition("Ready")["message"]
    settled.commands = {"approve": "another"}
    settled.run(spec)
    assert settled.images()["feed"] == "feed:1"
    settled.commands = {"approve": digest}
    settled.run(spec, 200)
    assert settled.images()["feed"] == "feed:2"
    assert settled.status["handled"]["approve"] == digest
    # The next one waits again.
    settled.run(desk("3", rollout={"approval": "Manual"}))
    assert settled.images()["feed"] == "feed:2"


@pytest.mark.acceptance("C61")
def test_a_change_without_its_backup_does_not_begin_unless_somebody_takes_the_risk_once(
    settled: Desk,
) -> None:
    spec = desk("2", rollout={"backupBefore": "nightly"})
    settled.run(spec)
    ready = settled.condition("Ready")
    assert ready["reason"] == "BackupNotTaken"
    assert settled.images()["feed"] == "feed:1"
    settled.commands = {"skip-backup-once": _digest(settled, spec)}
    settled.settle(spec)
    assert settled.images()["feed"] == "feed:2"
    settled.run(desk("3", rollout={"backupBefore": "nightly"}))
    assert settled.condition("Ready")["reason"] == "BackupNotTaken"


def _backup(settled: Desk, outcome: str, message: str = "", **wish: str) -> BackupFacts:
    """Return a Backup that was asked by the change that waits now."""
    told = settled.status["rollout"]
    asked = Wish(**{"revision": told["revision"], "since": told["since"], **wish})
    request = request_of(OWNER.uid, asked)
    return BackupFacts("nightly", OWNER.name, {request: AskedBackup(outcome, message)})


@pytest.mark.acceptance("C61")
def test_a_change_begins_once_the_backup_that_it_asked_for_is_verified(settled: Desk) -> None:
    spec = desk("2", rollout={"backupBefore": "nightly"})
    settled.run(spec, backup=BackupFacts("nightly", OWNER.name))
    assert "waits for a verified backup" in settled.condition("Ready")["message"]
    settled.run(spec, backup=_backup(settled, "Running"))
    assert "takes the backup" in settled.condition("Ready")["message"]
    assert settled.images()["feed"] == "feed:1"
    settled.run(spec, 300, backup=_backup(settled, "Succeeded"))
    assert settled.images()["feed"] == "feed:2"
    assert settled.status["rollout"]["phase"] == "Proven"


def test_a_backup_that_failed_holds_the_change_until_another_try_goes_well(settled: Desk) -> None:
    spec = desk("2", rollout={"backupBefore": "nightly"})
    settled.run(spec)
    failed = _backup(settled, "Failed", "no space left")
    settled.run(spec, backup=failed)
    message = settled.condition("Ready")["message"]
    assert "no space left" in message
    assert "tradingoperator.io/retry=" in message
    assert "tradingoperator.io/skip-backup-once=" in message
    settled.commands = {"retry": "now"}
    settled.run(spec, backup=failed)
    assert settled.images()["feed"] == "feed:1"
    settled.run(spec, backup=_backup(settled, "Succeeded", retried="now"))
    assert settled.images()["feed"] == "feed:2"


def test_a_backup_for_another_change_or_of_another_time_lets_nothing_go(settled: Desk) -> None:
    spec = desk("2", rollout={"backupBefore": "nightly"})
    settled.run(spec)
    for other in ({"since": "2025-01-01T00:00:00Z"}, {"revision": "another"}, {"retried": "x"}):
        settled.run(spec, backup=_backup(settled, "Succeeded", **other))
        assert settled.images()["feed"] == "feed:1"
    settled.run(spec, backup=replace(_backup(settled, "Succeeded"), system="another"))
    assert "is of another" in settled.condition("Ready")["message"]
    settled.run(spec, backup=replace(_backup(settled, "Succeeded"), name="weekly"))
    assert "there is no Backup nightly" in settled.condition("Ready")["message"]
    assert settled.images()["feed"] == "feed:1"


def test_a_backup_from_before_something_else_held_the_change_lets_nothing_go(
    settled: Desk,
) -> None:
    spec = desk("2", rollout={"backupBefore": "nightly"})
    settled.run(spec)
    old = _backup(settled, "Succeeded")
    settled.commands = {"dry-run": "yes"}
    settled.run(spec, backup=old)
    settled.commands = {}
    settled.run(spec, backup=old)
    assert settled.images()["feed"] == "feed:1"
    settled.run(spec, backup=_backup(settled, "Succeeded"))
    assert settled.images()["feed"] == "feed:2"


def test_a_backup_that_takes_none_says_why_the_change_waits(settled: Desk) -> None:
    spec = desk("2", rollout={"backupBefore": "nightly"})
    idle = BackupFacts("nightly", OWNER.name, trouble="there is no Secret vault")
    settled.run(spec, backup=idle)
    assert "there is no Secret vault" in settled.condition("Ready")["message"]


def test_a_dry_run_says_what_would_become_of_each_component_and_changes_nothing(
    settled: Desk,
) -> None:
    spec = make_spec(
        datastores=[datastore()],
        services=[service("feed", "db", image="feed:2"), service("added")],
        rollout={"bakeTime": "60s"},
    )
    settled.commands = {"dry-run": "monday"}
    settled.run(spec)
    assert settled.world.written == []
    changes = {each["name"]: each for each in settled.status["dryRun"]["changes"]}
    assert {name: each["action"] for name, each in changes.items()} == {
        "db": "Keep",
        "feed": "Update",
        "added": "Create",
        "strategy": "Remove",
    }
    assert changes["feed"]["message"] == "image feed:1 -> feed:2"
    assert settled.status["handled"]["dryRun"] == "monday"
    settled.commands = {}
    settled.settle(spec)
    assert "dryRun" not in settled.status
    assert set(settled.images()) == {"db", "feed", "added"}


def test_a_person_goes_back_to_any_good_revision_and_forward_again(settled: Desk) -> None:
    first = settled.status["revision"]
    settled.settle(desk("2"))
    settled.settle(desk("3"))
    third = settled.status["revision"]
    settled.commands = {"rollback-to": first}
    settled.run(desk("3"), 200)
    assert settled.images()["feed"] == "feed:1"
    assert settled.condition("Ready")["reason"] == "RolledBackByHand"
    assert settled.status["revision"] == first
    assert settled.world.written == []
    settled.commands = {"rollback-to": f"momentum-{third}"}
    settled.run(desk("3"), 200)
    assert settled.images()["feed"] == "feed:3"
    assert settled.condition("Ready")["status"] == "True"


def test_another_spec_ends_a_way_back_by_hand(settled: Desk) -> None:
    first = settled.status["revision"]
    settled.settle(desk("2"))
    settled.commands = {"rollback-to": first}
    settled.run(desk("2"), 100)
    settled.settle(desk("3"))
    assert settled.images()["feed"] == "feed:3"


@pytest.mark.parametrize("named", ["nowhere", "failed"])
def test_a_way_back_to_what_is_not_good_is_refused_and_said_so(settled: Desk, named: str) -> None:
    settled.begin(desk("2"), "feed")
    failed = settled.status["revision"]
    settled.break_pod("feed")
    settled.run(desk("2"))
    settled.settle(desk("3"))
    settled.commands = {"rollback-to": failed if named == "failed" else "nowhere"}
    settled.run(desk("3"))
    assert settled.images()["feed"] == "feed:3"
    assert "rollback-to names" in settled.status["rollout"]["complaint"]
    assert "rollbackTo" not in settled.status.get("handled", {})
    settled.commands = {}
    settled.run(desk("3"))
    assert "complaint" not in settled.status["rollout"]


def test_history_never_drops_what_is_in_force_or_what_is_good(settled: Desk) -> None:
    good = settled.status["revision"]
    for version in range(2, 20):
        settled.begin(desk(str(version)), "feed")
        settled.break_pod("feed")
        settled.run(desk(str(version)), 40)
    names = {each.name for each in settled.world.observe().revisions}
    assert len(names) == 10
    assert f"momentum-{good}" in names
    assert settled.images()["feed"] == "feed:1"


def test_a_revision_whose_record_somebody_took_away_is_tried_once_more(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    failed = settled.status["revision"]
    settled.break_pod("feed")
    settled.run(desk("2"))
    gone = next(r for r in settled.world.children if r.name == f"momentum-{failed}")
    del settled.world.children[gone]
    settled.run(desk("2"), 200)
    assert settled.images()["feed"] == "feed:2"


@pytest.mark.parametrize("switch", ["paused", "hibernated"])
def test_nobody_watches_what_sleeps_and_the_clock_begins_anew(settled: Desk, switch: str) -> None:
    settled.begin(desk("2"), "feed")
    settled.break_pod("feed", None)
    wire = desk("2").model_dump(by_alias=True, exclude_unset=True, mode="json")
    asleep = make_spec(**{**wire, switch: True})
    plan = settled.step(asleep, 1000)
    assert plan.rollout is None
    assert "rollout" not in settled.status
    awake = settled.step(desk("2"), 1)
    assert awake.rollout is not None
    assert awake.rollout.fault is None
