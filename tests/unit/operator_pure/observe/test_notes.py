"""What a component's line says though it is Ready, and of a pod whose node fell silent."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.observe.components import component_lines
from trading_operator.plan.types import Applied, Finding
from unit.operator_pure.systems import World, make_pod, make_spec, plan_for, service

SPEC = make_spec(services=[service("app", workload="SingleWriter")])


def _settled() -> tuple[World, Applied]:
    world = World()
    plan = world.settle(SPEC)
    return world, Applied(plan, dict(world.children))


def test_what_is_amiss_comes_before_where_it_is_reached() -> None:
    world, applied = _settled()
    notes = (Finding("", "reached at a"), Finding("AutoscalerFailing", "no metrics"))
    components = tuple(replace(each, notes=notes) for each in applied.plan.components)
    noted = replace(applied, plan=replace(applied.plan, components=components))
    (line,) = component_lines(noted, world.observe(), {})
    assert (line.state, line.reason) == ("Ready", "AutoscalerFailing")
    assert line.message == "no metrics; reached at a"


@pytest.mark.acceptance("C24")
@pytest.mark.parametrize("deleting", [False, True])
def test_a_single_writer_on_a_silent_node_says_what_to_do(deleting: bool) -> None:
    world, applied = _settled()
    facts: dict[str, Any] = {
        "deleting": deleting,
        "reason": "NodeUnreachable",
        "message": "pod momentum-app-0: node n does not answer",
    }
    revision = applied.plan.components[0].revision
    world.pods = {"app": make_pod("app", revision, ready=False, **facts)}
    again = plan_for(SPEC, world.observe())
    assert again.replace_pods == ()
    (line,) = component_lines(Applied(again, dict(world.children)), world.observe(), {})
    assert line.reason == "NodeUnreachable"
    assert "node n does not answer" in line.message
    assert ("delete the Node" in line.message) is deleting
