"""A change that fails goes back as a group; what fails for another reason does not."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.plan.types import FailedProbe, PodFault, SecretFacts
from unit.operator_pure.rollout.worlds import ABSENT, BUSY, CRASH, Desk, desk
from unit.operator_pure.systems import later, make_spec, service

OLD = {"db": "postgres:17", "feed": "feed:1", "strategy": "strategy:1"}


def _time(seconds: float) -> str:
    return later(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def settled() -> Desk:
    world = Desk()
    world.settle(desk("1"))
    return world


def _services(found: dict[str, str]) -> dict[str, str]:
    return {name: image for name, image in found.items() if name != "db"}


@pytest.mark.acceptance("C60", "B03")
@pytest.mark.parametrize("fault", [CRASH, ABSENT])
def test_every_component_that_changed_goes_back_when_one_fails(
    settled: Desk, fault: PodFault
) -> None:
    settled.begin(desk("2"), "strategy")
    assert _services(settled.images()) == {"feed": "feed:2", "strategy": "strategy:2"}
    settled.break_pod("strategy", fault)
    plan = settled.step(desk("2"))
    assert plan.rollout is not None
    assert (plan.rollout.phase, plan.rollout.component) == ("RollingBack", "strategy")
    # What the failed revision is known to be is written before anything else.
    (verdict,) = plan.verdicts
    assert verdict["metadata"]["labels"]["tradingoperator.io/outcome"] == "Failed"
    settled.run(desk("2"))
    assert _services(settled.images()) == {"feed": "feed:1", "strategy": "strategy:1"}
    assert sorted(settled.outcomes().values()) == ["Failed", "Good"]
    conditions = {kind: settled.condition(kind) for kind in ("Available", "Ready", "Stalled")}
    assert {kind: each["status"] for kind, each in conditions.items()} == {
        "Available": "True",
        "Ready": "False",
        "Stalled": "True",
    }
    back = settled.condition("RolledBack")
    assert (back["status"], back["reason"]) == ("True", fault.reason)
    assert "strategy" in back["message"]
    assert fault.message in back["message"]
    assert conditions["Ready"]["reason"] == "RolledBack"


def test_a_failed_revision_is_not_tried_again_until_it_is_asked_for(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    settled.break_pod("feed")
    settled.run(desk("2"), 400)
    assert _services(settled.images())["feed"] == "feed:1"
    writes = settled.world.written
    assert writes == []

    settled.commands = {"retry": "once"}
    settled.run(desk("2"))
    assert _services(settled.images())["feed"] == "feed:2"
    assert settled.status["handled"]["retry"] == "once"
    assert settled.status["rollout"]["phase"] == "Proven"
    assert sorted(settled.outcomes().values()) == ["Good", "Good"]


def test_one_retry_is_one_try(settled: Desk) -> None:
    for value in ("", "a"):
        settled.commands = {"retry": value} if value else {}
        settled.begin(desk("2"), "feed")
        settled.break_pod("feed")
        settled.run(desk("2"))
        assert _services(settled.images())["feed"] == "feed:1", value


def test_another_spec_is_tried_and_the_last_good_revision_stays_the_goal(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    settled.begin(desk("3"), "feed")  # the newest wins, while the one before is under way
    settled.break_pod("feed")
    settled.run(desk("3"))
    assert _services(settled.images())["feed"] == "feed:1"
    settled.settle(desk("4"))
    assert _services(settled.images())["feed"] == "feed:4"
    assert settled.condition("RolledBack")["status"] == "False"


def test_a_new_change_while_one_goes_back_wins(settled: Desk) -> None:
    settled.begin(desk("2"), "strategy")
    settled.break_pod("strategy")
    settled.step(desk("2"))
    settled.settle(desk("3"))
    assert _services(settled.images()) == {"feed": "feed:3", "strategy": "strategy:3"}


def test_what_fails_during_the_bake_time_goes_back_and_after_it_does_not(settled: Desk) -> None:
    settled.run(desk("2"), 30)
    assert settled.status["rollout"]["phase"] == "Baking"
    assert settled.condition("Ready")["reason"] == "Baking"
    settled.break_pod("feed")
    assert settled.step(desk("2")).rollout.phase == "RollingBack"  # type: ignore[union-attr]
    settled.settle(desk("3"))
    settled.break_pod("feed")
    plan = settled.step(desk("3"))
    assert plan.rollout is not None
    assert plan.rollout.fault is None
    assert _services(settled.images())["feed"] == "feed:3"
    assert settled.condition("Degraded")["status"] == "True"


def test_a_first_version_is_tried_on_and_says_so() -> None:
    world = Desk()
    world.step(desk("1"))
    world.world.run_pods()
    world.break_pod("db")
    for _ in range(3):
        world.step(desk("1"))
    assert world.images() == {"db": world.images()["db"]}
    told = world.condition("RolledBack")
    assert (told["status"], told["reason"]) == ("False", "NothingToReturnTo")
    assert world.outcomes() == {1: "Unproven"}


def test_a_busy_registry_and_a_pod_that_somebody_else_ends_are_no_failure(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    settled.break_pod("feed", BUSY)
    assert settled.step(desk("2")).rollout.fault is None  # type: ignore[union-attr]
    settled.break_pod("feed", CRASH, deleting=True)
    assert settled.step(desk("2")).rollout.fault is None  # type: ignore[union-attr]


def test_an_old_pod_and_an_unchanged_component_are_never_blamed(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    old = replace(settled.world.pods["feed"], name="old", revision="before", ready=False)
    settled.world.pods["old"] = replace(old, fault=CRASH)
    settled.break_pod("db")
    assert settled.step(desk("2")).rollout.fault is None  # type: ignore[union-attr]


@pytest.mark.parametrize(("back", "goes_back"), [(None, False), (31.0, False), (10.0, True)])
def test_the_outage_of_an_unchanged_dependency_excuses_who_needs_it(
    settled: Desk, back: float | None, goes_back: bool
) -> None:
    settled.run(desk("2"), 30)
    now = settled.seconds
    store = settled.world.pods["db"]
    if back is None:
        settled.break_pod("db", None)
    else:
        settled.world.pods["db"] = replace(store, ready_since=_time(now - 40 + back))
    fault = replace(CRASH, at=_time(now - 20))
    settled.break_pod("feed", fault, ready_since=_time(now - 20))
    plan = settled.step(desk("2"), 0)
    assert plan.rollout is not None
    assert (plan.rollout.fault is not None) is goes_back


def test_a_crash_of_what_served_waits_for_what_its_dependency_says(settled: Desk) -> None:
    settled.run(desk("2"), 30)
    now = settled.seconds
    settled.break_pod("feed", replace(CRASH, at=_time(now)), ready_since=_time(now))
    waiting = settled.plan(desk("2"))
    assert waiting.rollout is not None
    assert waiting.rollout.fault is None
    assert waiting.requeue_after is not None
    assert waiting.requeue_after.total_seconds() <= 2
    assert settled.step(desk("2"), 2).rollout.fault is not None  # type: ignore[union-attr]


def _probed(**fields: Any) -> Any:
    health = {"path": "/health", "period": "1s", "failureThreshold": 3}
    services = [service("a", health=health, **fields)]
    return make_spec(services=services, rollout={"bakeTime": "60s"})


@pytest.mark.parametrize(
    ("fields", "failed", "running", "goes_back"),
    [
        ({}, {"Readiness": 2}, 5.0, False),
        ({}, {"Readiness": 3}, 5.0, True),
        ({"startupDeadline": "30s"}, {"Readiness": 9}, 5.0, False),
        ({"startupDeadline": "30s"}, {"Readiness": 9}, 31.0, True),
    ],
)
def test_a_probe_decides_by_its_own_threshold_and_the_start_that_the_spec_allows(
    fields: dict[str, Any], failed: dict[str, int], running: float, goes_back: bool
) -> None:
    world = Desk()
    world.settle(_probed(image="a:1", **fields))
    spec = _probed(image="a:2", **fields)
    world.begin(spec, "a")
    started = _time(world.seconds - running)
    probes = {name: FailedProbe(count, "statuscode: 503") for name, count in failed.items()}
    facts = {"ready_since": started, "started_at": started, "failed_probes": probes}
    world.break_pod("a", None, **facts)
    plan = world.step(spec, 0)
    assert plan.rollout is not None
    assert (plan.rollout.fault is not None) is goes_back
    if plan.rollout.fault is not None:
        assert plan.rollout.fault.reason == "ProbesFailing"
        assert "503" in plan.rollout.fault.message


def test_one_failed_probe_is_enough_of_a_pod_that_lost_its_readiness() -> None:
    world = Desk()
    world.settle(_probed(image="a:1"))
    spec = _probed(image="a:2")
    world.run(spec, 20)
    assert world.status["rollout"]["phase"] == "Baking"
    now = world.seconds
    facts = {"started_at": _time(now - 15), "ready_since": _time(now - 1)}
    world.break_pod("a", None, failed_probes={}, **facts)
    assert world.plan(spec).rollout.fault is None  # type: ignore[union-attr]
    world.break_pod("a", None, failed_probes={"Readiness": FailedProbe(1, "503")}, **facts)
    assert world.step(spec, 0).rollout.fault is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(("seconds", "goes_back"), [(2.0, True), (40.0, False)])
def test_a_program_that_hangs_is_seen_by_its_liveness_though_it_still_counts_as_ready(
    seconds: float, goes_back: bool
) -> None:
    live = {"path": "/livez", "period": "1s", "failureThreshold": 3}
    world = Desk()
    world.settle(_probed(image="a:1", liveness=live))
    spec = _probed(image="a:2", liveness=live)
    world.run(spec, 20)
    pod = world.world.pods["a"]
    # Three failures within forty seconds of a check each second were not in a row.
    failed = {"Liveness": FailedProbe(3, "timeout", seconds)}
    world.world.pods["a"] = replace(pod, started_at=_time(0), failed_probes=failed)
    plan = world.step(spec, 0)
    assert plan.rollout is not None
    assert (plan.rollout.fault is not None) is goes_back


def test_a_change_without_progress_fails_at_its_deadline(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    settled.break_pod("feed", None, reason="Unschedulable", message="0/3 nodes have room")
    waiting = settled.step(desk("2"), 100)
    assert waiting.rollout is not None
    assert waiting.rollout.fault is None
    assert waiting.requeue_after is not None
    plan = settled.step(desk("2"), waiting.requeue_after.total_seconds())
    assert plan.rollout is not None
    assert plan.rollout.fault is not None
    assert plan.rollout.fault.reason == "ProgressDeadlineExceeded"
    assert "0/3 nodes have room" in plan.rollout.fault.message


def test_the_outage_of_an_unchanged_dependency_is_no_lack_of_progress(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    settled.break_pod("feed", None)
    settled.break_pod("db", None)
    plan = settled.step(desk("2"), 1000)
    assert plan.rollout is not None
    assert plan.rollout.fault is None


def test_what_only_a_secret_changed_is_reported_and_never_undone() -> None:
    env = [{"name": "KEY", "secretKeyRef": {"name": "broker", "key": "key"}}]
    spec = make_spec(services=[service("a", env=env)], rollout={"bakeTime": "60s"})
    world = Desk()
    world.world.secrets["broker"] = SecretFacts("broker", frozenset({"key"}), "one")
    world.settle(spec)
    world.world.secrets["broker"] = SecretFacts("broker", frozenset({"key"}), "two")
    revision = world.begin(spec, "a")
    world.break_pod("a")
    world.run(spec, 20)
    assert world.world.pods["a"].revision == revision
    assert world.outcomes()[2] == "Unproven"
    world.break_pod("a")
    world.step(spec)
    assert world.condition("RolledBack")["reason"] == "OutsideChange"
    assert world.condition("Stalled")["status"] == "True"


def test_who_wants_a_failed_change_to_stay_gets_it_reported(settled: Desk) -> None:
    spec = desk("2", rollout={"onFailure": "Stay"})
    settled.begin(spec, "feed")
    settled.break_pod("feed")
    settled.step(spec)
    assert _services(settled.images())["feed"] == "feed:2"
    assert settled.condition("Stalled")["reason"] == "StaysAsItIs"
    assert settled.condition("RolledBack")["status"] == "False"


@pytest.mark.acceptance("X29")
def test_there_is_no_way_back_to_an_image_that_may_be_another_one_by_now() -> None:
    world = Desk()
    before = make_spec(services=[service("a", image="a:latest")], rollout={"bakeTime": "60s"})
    world.settle(before)
    spec = make_spec(services=[service("a", image="a:2")], rollout={"bakeTime": "60s"})
    world.begin(spec, "a")
    world.break_pod("a")
    world.step(spec)
    assert world.condition("RolledBack")["reason"] == "UnpinnedImage"
    assert world.images() == {"a": "a:2"}


def test_a_config_goes_back_with_its_old_content() -> None:
    def spec(text: str) -> Any:
        mount = [{"name": "c", "mountPath": "/c"}]
        configs = [{"name": "c", "files": {"f": text}}]
        rollout = {"bakeTime": "60s"}
        return make_spec(services=[service("a", configs=mount)], configs=configs, rollout=rollout)

    world = Desk()
    world.settle(spec("good"))
    world.begin(spec("bad"), "a")
    world.break_pod("a")
    world.run(spec("bad"))
    (volume,) = (
        volume["configMap"]["name"]
        for ref, live in world.world.children.items()
        if ref.kind == "Deployment"
        for volume in live["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "config-c"
    )
    contents = {
        ref.name: live["data"] for ref, live in world.world.children.items() if "data" in live
    }
    assert contents[volume] == {"f": "good"}
    assert world.status["rollout"]["phase"] == "RolledBack"


def test_numbers_and_sizes_stay_as_the_spec_of_today_says(settled: Desk) -> None:
    def spec(version: str) -> Any:
        wire = desk(version).model_dump(by_alias=True, exclude_unset=True, mode="json")
        if version == "2":
            wire["services"][0]["replicas"] = 3
            wire["datastores"][0]["storage"]["size"] = "5Gi"
            wire["tradingState"] = "Halted"
        return make_spec(**wire)

    settled.begin(spec("2"), "feed")
    settled.break_pod("feed")
    settled.run(spec("2"), 30)
    children = settled.world.children
    feed = next(live for ref, live in children.items() if ref == ("Deployment", "momentum-feed"))
    assert feed["spec"]["replicas"] == 3
    claim = next(live for ref, live in children.items() if ref.kind == "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert settled.status["tradingState"] == "Halted"


def test_a_component_that_the_change_added_goes_and_one_that_it_removed_comes_back() -> None:
    old = make_spec(services=[service("a"), service("gone")], rollout={"bakeTime": "60s"})
    new = make_spec(services=[service("a"), service("added")], rollout={"bakeTime": "60s"})
    world = Desk()
    world.settle(old)
    world.run(new, 20)
    assert "added" in world.images()
    world.break_pod("added")
    world.run(new)
    assert set(world.images()) == {"a", "gone"}
    assert world.status["rollout"]["phase"] == "RolledBack"


def test_a_rotated_secret_is_no_reason_to_try_a_failed_spec_again() -> None:
    env = [{"name": "KEY", "secretKeyRef": {"name": "broker", "key": "key"}}]

    def spec(image: str) -> Any:
        return make_spec(services=[service("a", image=image, env=env)], rollout={"bakeTime": "60s"})

    world = Desk()
    world.world.secrets["broker"] = SecretFacts("broker", frozenset({"key"}), "one")
    world.settle(spec("a:1"))
    world.begin(spec("a:2"), "a")
    world.break_pod("a")
    world.run(spec("a:2"))
    for digest in ("two", "three"):
        world.world.secrets["broker"] = SecretFacts("broker", frozenset({"key"}), digest)
        world.run(spec("a:2"))
        assert world.images() == {"a": "a:1"}
        assert world.status["rollout"]["phase"] == "RolledBack"
    world.commands = {"retry": "now"}
    world.run(spec("a:2"), 200)
    assert world.images() == {"a": "a:2"}


def test_a_first_version_that_recovered_is_proven_good(settled: Desk) -> None:
    world = Desk()
    world.run(desk("1"), 20)
    crashed = replace(CRASH, at=_time(world.seconds - 5))
    world.break_pod("feed", crashed)
    world.step(desk("1"))
    assert world.condition("RolledBack")["reason"] == "NothingToReturnTo"
    # It was started again and serves; what it died of is still in the status of its pod.
    world.world.pods["feed"] = replace(world.world.pods["feed"], ready=True)
    for _ in range(20):
        world.step(desk("1"), 5.0)
    assert world.outcomes() == {1: "Good"}


def test_a_pod_that_is_away_for_a_moment_says_nothing_of_the_way_back(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    settled.break_pod("feed")
    settled.run(desk("2"))
    settled.break_pod("feed", None)
    settled.step(desk("2"))
    assert settled.status["rollout"]["phase"] == "RolledBack"
    settled.world.run_pods()
    wire = desk("2").model_dump(by_alias=True, exclude_unset=True, mode="json")
    settled.step(make_spec(**{**wire, "hibernated": True}))
    assert "rollout" not in settled.status


def test_a_proven_revision_that_degrades_is_no_change(settled: Desk) -> None:
    settled.break_pod("feed")
    settled.step(desk("1"))
    assert settled.status["rollout"]["phase"] == "Proven"
    assert settled.condition("RolledBack")["reason"] == "NothingRolledBack"


def test_a_long_bake_time_is_no_lack_of_progress(settled: Desk) -> None:
    spec = desk("2", rollout={"bakeTime": "1h"})
    settled.run(spec, 600)
    assert settled.status["rollout"]["phase"] == "Baking"
    settled.break_pod("feed", None)
    assert settled.step(spec).rollout.fault is None  # type: ignore[union-attr]
    assert settled.step(spec, 200).rollout.fault is None  # type: ignore[union-attr]
    assert settled.step(spec, 200).rollout.fault is not None  # type: ignore[union-attr]


def test_what_fails_below_a_change_that_is_held_goes_back_under_its_own_name(
    settled: Desk,
) -> None:
    settled.begin(desk("2"), "feed")
    failing = settled.status["revision"]
    held = desk("3", rollout={"approval": "Manual"})
    assert settled.step(held).rollout.phase == "Held"  # type: ignore[union-attr]
    settled.break_pod("feed")
    plan = settled.step(held)
    assert plan.rollout is not None
    assert (plan.rollout.phase, plan.rollout.desired) == ("RollingBack", failing)
    settled.run(held)
    assert _services(settled.images())["feed"] == "feed:1"
    assert settled.condition("Ready")["reason"] == "WaitingForApproval"


def test_a_held_change_stays_held_when_what_is_below_it_is_proven(settled: Desk) -> None:
    settled.run(desk("2"), 30)
    held = desk("3", rollout={"approval": "Manual"})
    for _ in range(30):
        plan = settled.step(held, 5.0)
        settled.world.run_pods()
        assert plan.rollout is not None
        assert plan.rollout.phase == "Held"
        assert settled.condition("Ready")["status"] == "False"
    assert sorted(settled.outcomes().values()) == ["Good", "Good"]
