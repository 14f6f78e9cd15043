"""A change that fails goes back as a group; what fails for another reason does not."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.plan.observed import PodFault, SecretFacts
from unit.operator_pure.rollout.worlds import ABSENT, CRASH, Desk, desk, moment
from unit.operator_pure.systems import make_spec, service


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
    crashed = replace(CRASH, at=moment(world.seconds - 5))
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
