"""The live tree shows start order, state and why a component waits."""

from typing import Any

from demo.tree import build_lines, depths
from demo.watching import condition

SYSTEM: dict[str, Any] = {
    "metadata": {"generation": 2},
    "spec": {
        "datastores": [{"name": "db"}],
        "services": [
            {"name": "feed", "dependsOn": [{"name": "db"}]},
            {"name": "strategy", "dependsOn": [{"name": "feed"}, {"name": "db"}]},
        ],
    },
    "status": {
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "False"}],
        "components": [
            {"name": "db", "state": "Ready", "ready": 1, "desired": 1},
            {
                "name": "feed",
                "state": "Starting",
                "ready": 0,
                "desired": 1,
                "message": "0/1 pods ready",
            },
        ],
    },
}


def test_depth_is_the_longest_way_to_a_component_that_needs_nothing() -> None:
    assert depths(SYSTEM) == {"db": 0, "feed": 1, "strategy": 2}


def test_lines_are_in_start_order_and_say_why_a_component_waits() -> None:
    lines = build_lines(SYSTEM)
    assert all(
        f" {name} " in line for name, line in zip(("db", "feed", "strategy"), lines, strict=True)
    )
    assert "0/1 pods ready" in lines[1]
    assert "Ready" in lines[0]
    assert "not looked at yet" in lines[2]


def test_a_condition_of_an_older_spec_does_not_count() -> None:
    assert condition(SYSTEM, "Ready") == {"type": "Ready", "status": "False"}
    stale = {**SYSTEM, "metadata": {"generation": 3}}
    assert condition(stale, "Ready") == {}
