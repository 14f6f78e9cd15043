"""While components change one after another: what runs keeps what it uses."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.observed import Observed, Ref, SecretFacts
from trading_operator.plan.types import Manifest, Plan
from unit.operator_pure.systems import (
    World,
    component_names,
    datastore,
    make_pod,
    make_spec,
    objects_of,
    plan_for,
    service,
)

FORMER = {Ref(kind, "momentum-db") for kind in ("StatefulSet", "Service", "NetworkPolicy")}
POLICY = Ref("NetworkPolicy", "momentum-db")
NEEDS_SECRET = [{"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}]


def _uses(store: str, **fields: Any) -> TradingSystemSpec:
    return make_spec(datastores=[datastore(store)], services=[service("app", store, **fields)])


def _peers(plan: Plan, component: str, direction: str) -> set[tuple[str, int]]:
    """Return who may connect, as component and port."""
    policy = objects_of(plan, "NetworkPolicy")[f"momentum-{component}"]["spec"]
    side = "from" if direction == "ingress" else "to"
    return {
        (peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"], port["port"])
        for rule in policy.get(direction, ())
        for peer in rule[side]
        for port in rule["ports"]
        if "app.kubernetes.io/component" in peer.get("podSelector", {}).get("matchLabels", {})
    }


def _reason(plan: Plan, component: str) -> str:
    block = next(c.block for c in plan.components if c.name == component)
    return "" if block is None else block.reason


def test_what_left_the_spec_stays_until_every_component_has_changed() -> None:
    world = World()
    world.settle(_uses("db"))
    after = _uses("db2")
    world.apply(plan_for(after, world.observe()))  # db2 starts, app waits for it
    assert world.children.keys() >= FORMER
    plan = plan_for(after, world.observe())
    assert _reason(plan, "app") == "WaitingForDependency"
    assert plan.prune == ()

    world.run_pods()
    world.apply(plan_for(after, world.observe()))  # app changes
    world.pods["app"] = make_pod("app", "old")
    assert plan_for(after, world.observe()).prune == ()

    world.run_pods(healthy=lambda name: name != "app")
    assert plan_for(after, world.observe()).prune == ()

    world.run_pods()
    plan = plan_for(after, world.observe())
    assert set(plan.prune) == FORMER - {POLICY}
    world.apply(plan)
    assert plan_for(after, world.observe()).prune == (POLICY,)  # after the last of its pods


def test_connections_of_what_runs_stay_open_until_every_component_has_changed() -> None:
    world = World()
    world.settle(_uses("db"))
    after = _uses("db2")
    for _ in range(3):
        plan = plan_for(after, world.observe())
        assert _peers(plan, "app", "egress") == {("db", 5432), ("db2", 5432)}
        world.apply(plan)
    assert Ref("NetworkPolicy", "momentum-app") not in world.written

    world.run_pods()
    settled = world.settle(after)
    assert _peers(settled, "app", "egress") == {("db2", 5432)}


def test_a_dependant_that_leaves_is_let_in_for_as_long_as_it_runs() -> None:
    world = World()
    world.settle(
        make_spec(datastores=[datastore()], services=[service("old", "db"), service("app", "db")])
    )
    after = make_spec(datastores=[datastore()], services=[service("app", "db", env=NEEDS_SECRET)])
    plan = plan_for(after, world.observe())
    assert _peers(plan, "db", "ingress") == {("old", 5432), ("app", 5432)}
    assert plan.prune == ()


def test_a_blocked_components_new_port_leaves_its_old_one_open() -> None:
    def spec(port: int, **fields: Any) -> TradingSystemSpec:
        ports = [{"name": "http", "port": port}]
        return make_spec(
            services=[service("a", ports=ports, **fields), service("b", "a")],
        )

    world = World()
    world.settle(spec(8000))
    # It was there when the change began, and is gone when the component's turn has come.
    world.secrets["broker"] = SecretFacts("broker", frozenset({"key"}), "digest")
    changed = spec(9000, env=NEEDS_SECRET)
    begun = plan_for(changed, world.observe())
    world.apply(replace(begun, objects=begun.objects[:1]))
    plan = plan_for(changed, world.observe(secrets={}))
    assert _peers(plan, "a", "ingress") == {("b", 8000), ("b", 9000)}
    assert _peers(plan, "b", "egress") == {("a", 8000), ("a", 9000)}


def test_a_change_that_has_not_begun_opens_no_port() -> None:
    def spec(port: int, **fields: Any) -> TradingSystemSpec:
        ports = [{"name": "http", "port": port}]
        return make_spec(services=[service("a", ports=ports, **fields), service("b", "a")])

    world = World()
    world.settle(spec(8000))
    plan = plan_for(spec(9000, env=NEEDS_SECRET), world.observe())
    assert _peers(plan, "a", "ingress") == {("b", 8000)}
    assert _peers(plan, "b", "egress") == {("a", 8000)}


def test_an_edge_that_somebody_opened_by_hand_is_closed_though_a_component_is_sick() -> None:
    world = World()
    settled = world.settle(_uses("db"))
    ref = Ref("NetworkPolicy", "momentum-db")
    live = world.children[ref]
    opened = {**live["spec"], "ingress": [*live["spec"]["ingress"], {}]}
    world.children[ref] = {**live, "spec": opened}
    world.run_pods(healthy=lambda _: False)
    plan = plan_for(_uses("db"), world.observe())
    assert objects_of(plan, "NetworkPolicy") == objects_of(settled, "NetworkPolicy")


def test_isolation_that_is_turned_off_ends_at_once() -> None:
    world = World()
    world.settle(_uses("db"))
    after = _uses("db", env=NEEDS_SECRET).model_dump(by_alias=True, exclude_none=True)
    spec = TradingSystemSpec.model_validate({**after, "network": {"isolation": "Off"}})
    plan = plan_for(spec, world.observe())
    assert _reason(plan, "app") == "SecretNotFound"
    assert {ref.kind for ref in plan.prune} == {"NetworkPolicy"}


@pytest.mark.parametrize("kinds", [("Replicated", "SingleWriter"), ("SingleWriter", "Replicated")])
def test_a_workload_gives_way_to_one_of_another_kind_only_at_its_turn(
    kinds: tuple[str, str],
) -> None:
    def spec(workload: str, **fields: Any) -> TradingSystemSpec:
        return _uses("db", workload=workload, **fields)

    world = World()
    world.settle(spec(kinds[0]))
    former = next(
        ref for ref in world.children if ref.name == "momentum-app" and ref.kind in _WORKLOADS
    )
    blocked = plan_for(spec(kinds[1], env=NEEDS_SECRET), world.observe())
    assert _reason(blocked, "app") == "SecretNotFound"
    assert blocked.prune == ()

    world.run_pods(healthy=lambda name: name != "db")
    gated = plan_for(spec(kinds[1]), world.observe())
    assert _reason(gated, "app") == "WaitingForDependency"
    assert gated.prune == ()
    assert gated.components[1].running

    world.run_pods()
    turn = plan_for(spec(kinds[1]), world.observe())
    assert turn.prune == (former,)
    assert "app" not in component_names(turn.objects)


_WORKLOADS = ("Deployment", "StatefulSet")


@pytest.mark.parametrize(
    ("workload", "pod", "waits"),
    [
        ("Replicated", "momentum-app-0", True),
        ("Replicated", "momentum-app-5c9f-x2x4z", False),
        ("SingleWriter", "momentum-app-5c9f-x2x4z", True),
    ],
)
def test_a_single_writer_is_gone_before_anything_takes_its_place(
    workload: str, pod: str, waits: bool
) -> None:
    spec = make_spec(services=[service("app", workload=workload)])
    pods = (make_pod("app", "old", name=pod, deleting=True),)
    plan = plan_for(spec, Observed(pods=pods))
    assert (_reason(plan, "app") == "ReplacingWorkload") is waits
    assert (component_names(plan.objects) == []) is waits


@pytest.mark.parametrize("asleep", [True, False])
def test_a_single_writer_that_wakes_waits_for_the_pod_of_its_former_kind(asleep: bool) -> None:
    spec = make_spec(services=[service("app", workload="SingleWriter")])
    world = World()
    world.settle(spec)
    writer = world.children[Ref("StatefulSet", "momentum-app")]
    if asleep:
        writer["spec"]["replicas"] = 0
    world.pods["app"] = make_pod("app", "old", name="momentum-app-5c9f-x2x4z", deleting=True)
    plan = plan_for(spec, world.observe())
    assert (_reason(plan, "app") == "ReplacingWorkload") is asleep
    world.pods["app"] = make_pod("app", "old", name="momentum-app-5c9f-x2x4z", phase="Failed")
    assert _reason(plan_for(spec, world.observe()), "app") != "ReplacingWorkload"


def test_an_old_pod_stays_while_what_it_requires_is_down() -> None:
    def spec(image: str) -> TradingSystemSpec:
        return _uses("db", workload="SingleWriter", image=image)

    world = World()
    world.settle(spec("app:1"))
    world.apply(plan_for(spec("app:2"), world.observe()))  # the template, and then a crash
    world.run_pods(healthy=lambda name: name != "db")
    assert plan_for(spec("app:2"), world.observe()).replace_pods == ()
    world.run_pods()
    assert plan_for(spec("app:2"), world.observe()).replace_pods == ("momentum-app-0",)


def _template(plan: Plan) -> Manifest:
    deployment: Manifest = objects_of(plan, "Deployment")["momentum-app"]
    template: Manifest = deployment["spec"]["template"]
    return template


def test_the_order_of_dependencies_rolls_nothing() -> None:
    stores = [datastore("a"), datastore("b")]
    world = World()
    world.settle(make_spec(datastores=stores, services=[service("app", "a", "b")]))
    before = _template(
        plan_for(make_spec(datastores=stores, services=[service("app", "a", "b")]), world.observe())
    )
    after = plan_for(
        make_spec(datastores=stores, services=[service("app", "b", "a")]), world.observe()
    )
    assert _template(after) == before


def test_a_version_that_changes_no_image_rolls_nothing() -> None:
    def plan(version: str) -> Plan:
        return plan_for(make_spec(datastores=[datastore(version=version, image="pg:1")]))

    assert plan("17.1").components[0].revision == plan("17.2").components[0].revision


def test_the_wait_for_an_optional_dependency_is_not_repeated_when_a_workload_gives_way() -> None:
    since = "2026-01-02T03:00:00Z"
    world = World()
    spec = make_spec(datastores=[datastore()], services=[service("app", "db?")])
    world.settle(spec)
    world.run_pods(healthy=lambda name: name != "db")
    world.waiting_since = {"app": since}
    after = make_spec(
        datastores=[datastore()], services=[service("app", "db?", workload="SingleWriter")]
    )
    plan = plan_for(after, world.observe())
    assert _reason(plan, "app") == "ReplacingWorkload"
    assert plan.components[1].waiting_since == since
