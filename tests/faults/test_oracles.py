"""The oracles by themselves: each of them fails when what it looks for is there."""

from typing import Any

import pytest

from faults.end_state import compare_states
from faults.invariants import Invariants
from faults.points import Scenario
from faults.scenarios import has_ended
from faults.write_counts import REFUSED_MOST, compare_counts, read_written

STATE: dict[str, Any] = {
    "children": {"services/small-feed": {"spec": {"ports": [80]}}},
    "pods": ["feed ['feed:1'] ready=True deleting=False"],
    "status": {"conditions": {"Ready": ["True", "AllReady", 1]}},
}
LINES = (
    "create services/small-feed 201",
    "patch statefulsets/small-db 200",
    "delete pods/small-db-0 200",
    "patch tradingsystems/small/status 200",
    "create events/small.0123 201",
)


@pytest.fixture
def invariants() -> Invariants:
    """Invariants that are told by the test alone."""
    return Invariants(None)


def test_the_same_state_is_the_same() -> None:
    assert compare_states(STATE, STATE) == []


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("children", {}, "services/small-feed is missing"),
        ("children", {**STATE["children"], "services/more": {}}, "services/more is left over"),
        ("children", {"services/small-feed": {"spec": {"ports": [81]}}}, "ports"),
        ("pods", ["feed ['feed:2'] ready=True deleting=False"], "feed:2"),
        ("status", {"conditions": {"Ready": ["False", "PodsFail", 1]}}, "PodsFail"),
        ("status", None, "status"),
    ],
)
def test_a_falsified_state_is_found(part: str, value: Any, told: str) -> None:
    (wrong,) = {"; ".join(compare_states(STATE, {**STATE, part: value}))}
    assert told in wrong


def test_the_same_writes_are_the_same() -> None:
    written = read_written(LINES)
    assert compare_counts(written, written, "") == []


@pytest.mark.parametrize("line", LINES[:3])
def test_one_write_more_is_found(line: str) -> None:
    more = read_written([*LINES, line])
    (wrong,) = compare_counts(read_written(LINES), more, "")
    assert wrong.endswith("2 times, undisturbed 1")


def test_a_creation_that_lacks_is_found() -> None:
    (wrong,) = compare_counts(read_written(LINES), read_written(LINES[1:]), "")
    assert wrong == "create services/small-feed: 0 times, undisturbed 1"


def test_a_fault_explains_one_more_change_of_what_it_struck_and_no_creation() -> None:
    expected = read_written(LINES)
    changed = read_written([*LINES, LINES[1]])
    assert compare_counts(expected, changed, "statefulsets/small-db") == []
    again = read_written([*LINES, "delete pods/small-db-0 200"])
    assert compare_counts(expected, again, "pods/small-db-0") == []
    assert compare_counts(expected, again, "statefulsets/small-db") != []
    made = read_written([*LINES, LINES[0]])
    assert compare_counts(expected, made, "services/small-feed") != []


def test_a_hot_loop_is_found_though_nothing_is_carried_out() -> None:
    refused = ["patch statefulsets/small-db 409"] * (REFUSED_MOST + 1)
    (wrong,) = compare_counts(read_written(LINES), read_written([*LINES, *refused]), "")
    assert "were refused" in wrong


def _pod(uid: str, phase: str = "Running") -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": "strategy"}
    metadata = {"namespace": "here", "name": f"pod-{uid}", "uid": uid, "labels": labels}
    return {"metadata": metadata, "status": {"phase": phase}}


def test_two_running_pods_of_a_single_writer_are_found(invariants: Invariants) -> None:
    invariants.guard("here")
    invariants.take_pod("ADDED", _pod("a"))
    invariants.take_pod("ADDED", _pod("b", "Pending"))
    assert invariants.problems("here") == []
    invariants.take_pod("MODIFIED", _pod("b"))
    assert invariants.problems("here") == ["2 pods of strategy run at the same time: pod-a, pod-b"]


def test_one_pod_after_the_other_is_no_problem(invariants: Invariants) -> None:
    invariants.guard("here")
    invariants.take_pod("ADDED", _pod("a"))
    invariants.take_pod("DELETED", _pod("a"))
    invariants.take_pod("ADDED", _pod("b"))
    assert invariants.problems("here") == []


def _claim(uid: str) -> dict[str, Any]:
    metadata = {"namespace": "here", "name": "data", "uid": uid, "deletionTimestamp": "now"}
    return {"metadata": metadata}


def test_a_claim_that_the_test_itself_deleted_is_no_problem_when_it_is_told_late(
    invariants: Invariants,
) -> None:
    invariants.spare("a")
    invariants.guard("here")
    invariants.take_claim("DELETED", _claim("a"))
    assert invariants.problems("here") == []
    invariants.take_claim("DELETED", _claim("b"))
    assert invariants.problems("here") == ["claim data was deleted"]


def test_a_claim_that_goes_is_found_while_it_is_guarded(invariants: Invariants) -> None:
    claim = _claim("a")
    invariants.take_claim("MODIFIED", claim)
    assert invariants.problems("here") == []
    invariants.guard("here")
    invariants.take_claim("MODIFIED", claim)
    assert invariants.problems("here") == ["claim data was deleted"]


def _system(phase: str, generation: int, *conditions: tuple[str, str, str]) -> dict[str, Any]:
    told = [
        {"type": kind, "status": status, "reason": reason, "observedGeneration": 2}
        for kind, status, reason in conditions
    ]
    status = {"rollout": {"phase": phase}, "conditions": told}
    return {"metadata": {"generation": generation}, "status": status}


@pytest.mark.parametrize(
    ("scenario", "system", "over"),
    [
        (Scenario.CREATE, _system("Proven", 2, ("Ready", "True", "AllReady")), True),
        (Scenario.CHANGE, _system("Proven", 3, ("Ready", "True", "AllReady")), False),
        (Scenario.CHANGE, _system("Baking", 2, ("Ready", "True", "AllReady")), False),
        (Scenario.ROLLBACK, _system("RolledBack", 2, ("Stalled", "True", "RolledBack")), True),
        (Scenario.ROLLBACK, _system("RolledBack", 2, ("Stalled", "True", "Other")), False),
        (Scenario.ROLLBACK, _system("Proven", 2, ("Ready", "True", "AllReady")), False),
        (Scenario.DELETE, _system("Proven", 2, ("Ready", "True", "AllReady")), False),
        (Scenario.DELETE, None, True),
        (Scenario.CREATE, None, False),
    ],
)
def test_a_scenario_is_over_when_the_status_says_so_at_the_present_generation(
    scenario: Scenario, system: dict[str, Any] | None, over: bool
) -> None:
    assert has_ended(scenario, system) == over
