"""The status: one line a component, conditions that kubectl and kstatus can read."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.observe.trading_system import invalid_status, trading_system_status
from trading_operator.plan.observed import PodFacts, Ref
from trading_operator.plan.types import Applied, Failure
from unit.operator_pure.systems import (
    NOW,
    OWNER,
    World,
    datastore,
    later,
    make_spec,
    plan_for,
    service,
)

SPEC = make_spec(datastores=[datastore()], services=[service("app", "db")])


def _status(
    spec: TradingSystemSpec, world: World, previous: Any = None, seconds: float = 0, **seen: Any
) -> dict[str, Any]:
    observed = world.observe(**seen)
    applied = world.apply(plan_for(spec, observed, later(seconds)))
    return trading_system_status(applied, spec, world.observe(**seen), previous, later(seconds))


def _line(status: dict[str, Any], name: str) -> dict[str, Any]:
    return next(line for line in status["components"] if line["name"] == name)


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(c for c in status["conditions"] if c["type"] == kind)


def _states(status: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


def _settled() -> tuple[World, dict[str, Any]]:
    world = World()
    world.settle(SPEC)
    return world, _status(SPEC, world)


@pytest.mark.acceptance("A59")
def test_a_start_is_told_component_by_component() -> None:
    world = World()
    first = _status(SPEC, world)
    assert first["componentsReady"] == "0/2"
    assert [line["name"] for line in first["components"]] == ["db", "app"]
    assert _line(first, "db")["state"] == "Starting"
    assert _line(first, "app")["state"] == "Waiting"
    assert _line(first, "app")["message"] == "waits for db (required): not started"
    assert _states(first) == {
        "Available": "False",
        "Ready": "False",
        "Reconciling": "True",
        "Stalled": "False",
        "Degraded": "False",
        "ImagesPinned": "True",
        "Validated": "True",
        "RolledBack": "False",
    }

    world.run_pods()
    second = _status(SPEC, world, first)
    assert second["componentsReady"] == "1/2"
    assert _line(second, "db")["state"] == "Ready"


def test_a_settled_system_is_ready_and_says_so_in_every_condition() -> None:
    _, status = _settled()
    assert status["componentsReady"] == "2/2"
    assert status["observedGeneration"] == OWNER.generation
    assert all(c["observedGeneration"] == OWNER.generation for c in status["conditions"])
    assert _states(status) == {
        "Available": "True",
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "Degraded": "False",
        "ImagesPinned": "True",
        "Validated": "True",
        "RolledBack": "False",
    }
    assert [(line["ready"], line["desired"]) for line in status["components"]] == [(1, 1), (1, 1)]


def test_an_unchanged_status_is_the_same_an_hour_later() -> None:
    world, status = _settled()
    assert _status(SPEC, world, status, seconds=3600) == status


def test_the_transition_time_moves_only_with_the_state() -> None:
    world, status = _settled()
    world.run_pods(healthy=lambda name: name != "db")
    worse = _status(SPEC, world, status, seconds=60)
    assert _condition(worse, "Ready")["lastTransitionTime"] == "2026-01-02T03:05:05Z"
    assert _condition(worse, "Stalled") == _condition(status, "Stalled")


@pytest.mark.acceptance("X04")
def test_a_failed_dependency_degrades_its_dependants_and_names_it() -> None:
    world, status = _settled()
    world.run_pods(healthy=lambda name: name != "db")
    worse = _status(SPEC, world, status)
    assert _line(worse, "db")["state"] == "Degraded"
    assert _line(worse, "app")["state"] == "Degraded"
    assert _line(worse, "app")["reason"] == "DependencyLost"
    assert "lost db (required): left as it is" in _line(worse, "app")["message"]
    assert _states(worse)["Degraded"] == "True"
    assert _states(worse)["Available"] == "False"


@pytest.mark.acceptance("X26")
def test_a_system_serves_without_what_all_its_users_can_do_without() -> None:
    spec = make_spec(datastores=[datastore()], services=[service("app", "db?")])
    world = World()
    world.settle(spec)
    status = _status(spec, world)
    world.run_pods(healthy=lambda name: name != "db")
    worse = _status(spec, world, status)
    assert _line(worse, "app")["reason"] == "WithoutOptionalDependency"
    assert _line(worse, "app")["message"] == "runs without db (optional)"
    assert (_states(worse)["Available"], _states(worse)["Ready"]) == ("True", "False")


def test_a_wait_with_an_end_keeps_its_beginning() -> None:
    spec = make_spec(datastores=[datastore()], services=[service("app", "db?")])
    world = World()
    first = _status(spec, world)
    assert _line(first, "app")["waitingSince"] == "2026-01-02T03:04:05Z"
    second = _status(spec, world, first, seconds=10)
    assert _line(second, "app")["waitingSince"] == "2026-01-02T03:04:05Z"
    assert "waitingSince" not in _line(second, "db")


def test_a_blocked_component_stalls_the_system_and_tells_the_mend() -> None:
    needs = [{"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}]
    spec = make_spec(services=[service("app", env=needs), service("late", "app")])
    status = _status(spec, World())
    assert _line(status, "app")["state"] == "Blocked"
    stalled = _condition(status, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "SecretNotFound")
    assert "there is no Secret broker; create it with the key key" in stalled["message"]
    assert _condition(status, "Ready")["reason"] == "SecretNotFound"
    # What waits for a person does not move.
    assert _states(status)["Reconciling"] == "False"


def test_what_runs_is_still_available_while_a_change_of_it_is_blocked() -> None:
    world, status = _settled()
    needs = [{"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}]
    changed = make_spec(datastores=[datastore()], services=[service("app", "db", env=needs)])
    blocked = _status(changed, world, status)
    assert _line(blocked, "app")["state"] == "Blocked"
    assert _line(blocked, "app")["ready"] == 1
    assert _states(blocked)["Available"] == "True"
    assert _states(blocked)["Ready"] == "False"


def test_a_change_is_reconciling_until_the_new_pods_are_ready() -> None:
    world, status = _settled()
    changed = make_spec(datastores=[datastore()], services=[service("app", "db", image="app:2")])
    rolling = _status(changed, world, status)
    assert _line(rolling, "app")["state"] == "Starting"
    assert _states(rolling)["Reconciling"] == "True"
    assert _states(rolling)["Available"] == "True"
    assert rolling["revision"] != status["revision"]
    world.run_pods()
    done = _status(changed, world, rolling)
    assert done["componentsReady"] == "2/2"


def _sick(world: World, component: str, **facts: Any) -> None:
    world.run_pods(healthy=lambda name: name != component)
    usual = world.pods[component]
    world.pods[component] = PodFacts(**{**usual.__dict__, **facts})


@pytest.mark.parametrize(
    ("facts", "reason", "message"),
    [
        (
            {"reason": "ErrImagePull", "message": "not found"},
            "ImagePullFailed",
            "image app:1 cannot be pulled: not found",
        ),
        (
            {"reason": "CrashLoopBackOff", "message": "container main exited with 3: no books"},
            "ContainerFailed",
            "container main exited with 3: no books",
        ),
        (
            {"reason": "Unschedulable", "message": "0/1 nodes are available"},
            "Unschedulable",
            "0/1 nodes are available",
        ),
        ({}, "PodsStarting", "waits for its pods to be ready"),
    ],
)
def test_a_line_says_why_pods_are_not_ready(
    facts: dict[str, str], reason: str, message: str
) -> None:
    spec = make_spec(services=[service("app")])
    world = World()
    first = _status(spec, world)
    _sick(world, "app", **facts)
    line = _line(_status(spec, world, first), "app")
    assert (line["state"], line["reason"], line["message"]) == ("Starting", reason, message)


def test_the_waits_between_two_pulls_do_not_change_the_status() -> None:
    spec = make_spec(services=[service("app")])
    world = World()
    _status(spec, world)
    _sick(world, "app", reason="ErrImagePull", message="not found")
    failed = _status(spec, world)
    _sick(world, "app", reason="ImagePullBackOff", message="Back-off pulling image")
    assert _status(spec, world, failed) == failed


def test_pods_that_may_not_be_made_are_explained() -> None:
    spec = make_spec(services=[service("app")])
    world = World()
    _status(spec, world)
    ref = Ref("Deployment", "momentum-app")
    refusal = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    world.children[ref] = {**world.children[ref], "status": {"conditions": [refusal]}}
    observed = world.observe()
    applied = Applied(plan_for(spec, observed), world.children)
    line = trading_system_status(applied, spec, observed, None, NOW)["components"][0]
    assert (line["reason"], line["message"]) == (
        "PodsRefused",
        "its pods cannot be made: exceeded quota",
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({}, "PodsStarting"),  # nobody has looked at it yet
        ({"observedGeneration": 1, "replicas": 0}, "PodsStarting"),  # not at the change of it
        ({"observedGeneration": 2, "replicas": 1}, "PodsStarting"),  # we have not seen the pod
        ({"observedGeneration": 2, "replicas": 0}, "PodsRefused"),
    ],
)
def test_a_stateful_set_that_can_make_no_pods_is_told_from_one_that_begins(
    status: dict[str, Any], reason: str
) -> None:
    spec = make_spec(services=[service("app", workload="SingleWriter")])
    world = World()
    _status(spec, world)
    ref = Ref("StatefulSet", "momentum-app")
    live = world.children[ref]
    metadata = {**live["metadata"], "generation": 2}
    world.children[ref] = {**live, "metadata": metadata, "status": status}
    observed = world.observe()
    applied = Applied(plan_for(spec, observed), world.children)
    line = trading_system_status(applied, spec, observed, None, NOW)["components"][0]
    assert line["reason"] == reason
    if reason == "PodsRefused":
        assert line["message"].endswith("kubectl describe statefulset momentum-app says why")


def test_a_refused_write_blocks_its_component() -> None:
    spec = make_spec(services=[service("app")])
    ref = Ref("Deployment", "momentum-app")
    applied = Applied(plan_for(spec), {}, (Failure(ref, 422, "spec.x: Invalid value"),))
    status = trading_system_status(applied, spec, World().observe(), None, NOW)
    assert _line(status, "app")["message"] == "Deployment momentum-app: spec.x: Invalid value"
    assert _condition(status, "Stalled")["reason"] == "Refused"


def test_a_refused_write_of_the_systems_own_objects_stalls_it() -> None:
    world, _ = _settled()
    ref = Ref("NetworkPolicy", "momentum.default-deny")
    observed = world.observe()
    plan = plan_for(SPEC, observed)
    applied = Applied(plan, world.children, (Failure(ref, 403, "forbidden"),))
    status = trading_system_status(applied, SPEC, observed, None, NOW)
    assert (
        _condition(status, "Ready")["message"] == "NetworkPolicy momentum.default-deny: forbidden"
    )
    assert _states(status)["Stalled"] == "True"
    assert _states(status)["Available"] == "True"


@pytest.mark.acceptance("X29")
def test_images_that_may_change_are_named_in_a_condition_of_their_own() -> None:
    spec = make_spec(services=[service("app", image="app:latest")])
    world = World()
    world.settle(spec)
    status = _status(spec, world)
    pinned = _condition(status, "ImagesPinned")
    assert (pinned["status"], pinned["reason"]) == ("False", "UnpinnedImage")
    assert "services[0].image: app:latest" in pinned["message"]
    assert _states(status)["Ready"] == "True"


def test_an_invalid_spec_stalls_with_field_and_mend_and_keeps_what_is_known() -> None:
    _, status = _settled()
    error = InvalidSpecError("datastores[2].version", "unknown", "use 17")
    invalid = invalid_status(OWNER, error, status, later(60))
    assert _states(invalid) == {
        "Available": "True",
        "Ready": "False",
        "Reconciling": "False",
        "Stalled": "True",
        "Degraded": "False",
        "ImagesPinned": "True",
        "Validated": "True",
        "RolledBack": "False",
    }
    assert _condition(invalid, "Stalled")["message"] == "datastores[2].version: unknown; use 17"
    assert invalid["components"] == status["components"]
    assert invalid_status(OWNER, error, invalid, later(120)) == invalid


def test_what_an_invalid_spec_leaves_unseen_keeps_the_generation_that_it_was_seen_at() -> None:
    _, status = _settled()
    owner = replace(OWNER, generation=OWNER.generation + 1)
    invalid = invalid_status(owner, InvalidSpecError("services", "x", "y"), status, later(60))
    seen = {each["type"]: each["observedGeneration"] for each in invalid["conditions"]}
    assert invalid["observedGeneration"] == owner.generation
    assert {kind for kind, at in seen.items() if at == owner.generation} == {
        "Ready",
        "Reconciling",
        "Stalled",
    }
    assert _condition(invalid, "Available") == _condition(status, "Available")


def test_a_first_spec_that_is_invalid_serves_nothing() -> None:
    invalid = invalid_status(OWNER, InvalidSpecError("services", "x", "y"), None, NOW)
    assert _states(invalid)["Available"] == "False"
    assert invalid["observedGeneration"] == OWNER.generation
