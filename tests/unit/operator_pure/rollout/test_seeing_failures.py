"""Which failures of pods make a change fail, how soon, and which excuse it."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.plan.observed import FailedProbe
from unit.operator_pure.rollout.worlds import BUSY, CRASH, Desk, desk, moment
from unit.operator_pure.systems import make_spec, service


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
        settled.world.pods["db"] = replace(store, ready_since=moment(now - 40 + back))
    fault = replace(CRASH, at=moment(now - 20))
    settled.break_pod("feed", fault, ready_since=moment(now - 20))
    plan = settled.step(desk("2"), 0)
    assert plan.rollout is not None
    assert (plan.rollout.fault is not None) is goes_back


def test_a_crash_of_what_served_waits_for_what_its_dependency_says(settled: Desk) -> None:
    settled.run(desk("2"), 30)
    now = settled.seconds
    settled.break_pod("feed", replace(CRASH, at=moment(now)), ready_since=moment(now))
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
    started = moment(world.seconds - running)
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
    facts = {"started_at": moment(now - 15), "ready_since": moment(now - 1)}
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
    world.world.pods["a"] = replace(pod, started_at=moment(0), failed_probes=failed)
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


def test_who_was_made_late_has_its_time_all_the_same(settled: Desk) -> None:
    """An operator that was away, or could not write, is no failure of the change."""
    settled.begin(desk("2"), "feed")
    settled.world.run_pods()
    settled.step(desk("2"))
    settled.seconds += 400  # nobody looked, and the deadline is five minutes
    plan = settled.step(desk("2"), 0)
    assert plan.rollout is not None
    assert plan.rollout.phase == "RollingOut"
    settled.world.run_pods()
    settled.break_pod("strategy", None, created_at=moment(settled.seconds))
    assert settled.step(desk("2"), 150).rollout.fault is None  # type: ignore[union-attr]
    late = settled.step(desk("2"), 60)  # it never takes more than twice the deadline
    assert late.rollout is not None
    assert late.rollout.fault is not None
    assert late.rollout.component == "strategy"


def test_what_never_gets_pods_fails_after_twice_the_deadline(settled: Desk) -> None:
    settled.begin(desk("2"), "feed")
    settled.break_pod("feed", None, created_at=moment(settled.seconds))
    del settled.world.pods["feed"]
    waits = settled.step(desk("2"), 310)
    assert waits.rollout is not None
    assert waits.rollout.fault is None
    settled.world.pods.pop("feed", None)
    assert settled.step(desk("2"), 300).rollout.fault is not None  # type: ignore[union-attr]
