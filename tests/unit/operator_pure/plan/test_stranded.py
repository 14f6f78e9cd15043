"""Pods that share a node and wait for each other are made anew, one at a time, and no others."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.plan.types import Plan
from unit.operator_pure.systems import World, make_spec, plan_for, service

MOUNT = [{"name": "shared", "mountPath": "/shared"}]
SPEC = make_spec(
    services=[service("a", volumes=MOUNT), service("b", volumes=MOUNT), service("c")],
    volumes=[{"name": "shared", "size": "1Gi", "accessMode": "ReadWriteOnce"}],
)
AFFINITY = "0/5 nodes are available: 1 node(s) didn't match pod affinity rules"


def _plan(**facts: dict[str, Any]) -> Plan:
    world = World()
    world.settle(SPEC)
    for name, changes in facts.items():
        world.pods[name] = replace(world.pods[name], **changes)
    return plan_for(SPEC, world.observe())


def _waits(message: str = AFFINITY) -> dict[str, Any]:
    return {"ready": False, "phase": "Pending", "reason": "Unschedulable", "message": message}


def test_of_a_group_that_waits_for_itself_one_pod_is_made_anew() -> None:
    (name,) = _plan(a=_waits(), b=_waits(), c=_waits()).replace_pods
    assert name.startswith("momentum-a-")


@pytest.mark.parametrize(
    "other",
    [
        {},  # it runs: the first one goes where it is
        {**_waits(), "deleting": True},
        {"phase": "Pending", "ready": False, "reason": ""},  # it has a node, or is looked at
        _waits("0/5 nodes are available: 5 Insufficient cpu"),
    ],
)
def test_what_may_still_be_scheduled_is_left_alone(other: dict[str, Any]) -> None:
    assert _plan(a=_waits(), b=other).replace_pods == ()
