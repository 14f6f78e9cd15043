"""The order of a stop: nothing stops under those that use it."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import COMPONENT
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.drafts import plan_drafts
from trading_operator.plan.graph import used_by
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.stopping import Stopping, plan_stopping, stopped_workload
from unit.operator_pure.systems import (
    OPERAND,
    OWNER,
    World,
    acyclic_specs,
    datastore,
    make_pod,
    make_spec,
    service,
)

CHAIN = make_spec(
    datastores=[datastore("db")],
    services=[service("feed", "db"), service("strategy", "feed", workload="SingleWriter")],
)


def _running(spec: TradingSystemSpec) -> World:
    world = World()
    world.settle(spec)
    return world


def _drafts(spec: TradingSystemSpec, observed: Observed) -> Mapping[str, Draft]:
    return plan_drafts(System(OWNER, spec, observed, OPERAND))


def _stopping(world: World, spec: TradingSystemSpec = CHAIN) -> Stopping:
    observed = world.observe()
    return plan_stopping(_drafts(spec, observed), observed)


def _scale_down(world: World, component: str) -> None:
    ref = next(
        ref
        for ref, live in world.children.items()
        if "replicas" in live.get("spec", {}) and live["metadata"]["labels"][COMPONENT] == component
    )
    live = world.children[ref]
    world.children[ref] = {**live, "spec": {**live["spec"], "replicas": 0}}


def test_dependants_stop_first_and_each_waits_for_all_that_use_it() -> None:
    world = _running(CHAIN)
    found = _stopping(world)
    assert found.scale == ("strategy",)
    assert found.blocks["feed"].message == "stops after strategy"
    assert found.blocks["db"].message == "stops after feed, strategy"
    assert "momentum-strategy-0" in found.blocks["strategy"].message


def test_a_terminating_pod_counts_as_left() -> None:
    world = _running(CHAIN)
    _scale_down(world, "strategy")
    world.pods["strategy"] = replace(world.pods["strategy"], deleting=True, ready=False)
    assert _stopping(world).scale == ("strategy",)
    del world.pods["strategy"]
    assert _stopping(world).scale == ("feed", "strategy")


def test_a_workload_that_wants_pods_counts_though_none_is_seen_yet() -> None:
    world = _running(CHAIN)
    del world.pods["strategy"]
    assert _stopping(world).scale == ("strategy",)


def test_a_workload_whose_controller_lags_behind_counts() -> None:
    world = _running(CHAIN)
    _scale_down(world, "strategy")
    del world.pods["strategy"]
    ref = Ref("StatefulSet", "momentum-strategy")
    live = world.children[ref]
    behind = {
        **live,
        "metadata": {**live["metadata"], "generation": 2},
        "status": {"observedGeneration": 1},
    }
    world.children[ref] = behind
    assert _stopping(world).scale == ("strategy",)
    world.children[ref] = {**behind, "status": {"observedGeneration": 2}}
    assert _stopping(world).scale == ("feed", "strategy")


def test_the_remains_of_a_pod_whose_containers_ended_hold_up_nobody() -> None:
    world = _running(CHAIN)
    _scale_down(world, "strategy")
    world.pods["strategy"] = replace(world.pods["strategy"], phase="Failed", ready=False)
    assert _stopping(world).scale == ("feed", "strategy")


def test_an_indirect_user_holds_a_component_though_the_one_between_is_gone() -> None:
    world = _running(CHAIN)
    _scale_down(world, "feed")
    del world.pods["feed"]
    assert _stopping(world).blocks["db"].message == "stops after strategy"


def test_a_service_that_left_the_spec_stops_before_everything_and_a_database_after_it() -> None:
    world = _running(CHAIN)
    rest = make_spec(services=[service("feed")])
    found = _stopping(world, rest)
    assert found.scale == ()
    assert found.delete == (Ref("StatefulSet", "momentum-strategy"),)
    del world.children[Ref("StatefulSet", "momentum-strategy")]
    del world.pods["strategy"]
    found = _stopping(world, rest)
    assert (found.scale, found.delete) == (("feed",), ())
    _scale_down(world, "feed")
    del world.pods["feed"]
    assert _stopping(world, rest).delete == (Ref("StatefulSet", "momentum-db"),)


def test_the_workload_of_a_former_kind_is_deleted_at_its_turn() -> None:
    world = _running(CHAIN)
    changed = make_spec(
        datastores=[datastore("db")],
        services=[service("feed", "db", workload="SingleWriter"), service("strategy", "feed")],
    )
    assert _stopping(world, changed).delete == (Ref("StatefulSet", "momentum-strategy"),)


def test_jobs_of_the_system_are_no_component_and_hold_up_nobody() -> None:
    world = _running(CHAIN)
    world.pods["job"] = make_pod("", "")
    assert _stopping(world).scale == ("strategy",)


def test_it_is_done_when_nothing_runs_and_nothing_is_to_be_deleted() -> None:
    world = World()
    assert _stopping(world).done
    world = _running(CHAIN)
    assert not _stopping(world).done
    for name in ("db", "feed", "strategy"):
        _scale_down(world, name)
    world.pods.clear()
    found = _stopping(world)
    assert found.done
    assert found.scale == ("db", "feed", "strategy")


def test_a_stop_changes_nothing_but_the_count_of_a_component_that_was_changed_meanwhile() -> None:
    world = _running(make_spec(services=[service("app")]))
    changed = make_spec(services=[service("app", image="app:2")])
    draft = _drafts(changed, world.observe())["app"]
    stopped = stopped_workload(draft, world.observe())
    assert stopped is not None
    assert stopped["spec"]["template"]["spec"]["containers"][0]["image"] == "app:1"
    assert stopped["spec"]["replicas"] == 0


def test_what_has_no_workload_is_not_made_in_order_to_stop_it() -> None:
    draft = _drafts(CHAIN, Observed())["feed"]
    assert stopped_workload(draft, Observed()) is None


@settings(max_examples=60, deadline=None)
@given(acyclic_specs(), st.randoms(use_true_random=False))
def test_no_component_ever_stops_under_a_user_and_the_stop_always_ends(
    spec: TradingSystemSpec, random: Random
) -> None:
    world = _running(spec)
    drafts = _drafts(spec, world.observe())
    for _ in range(2 * len(drafts)):
        found = _stopping(world, spec)
        if found.done:
            break
        for name in found.scale:
            assert not used_by(name, drafts) & world.pods.keys()
            _scale_down(world, name)
        del world.pods[random.choice([name for name in found.scale if name in world.pods])]
    assert plan_stopping(drafts, world.observe()).done
    assert not world.pods
