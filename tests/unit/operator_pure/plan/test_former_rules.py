"""A connection that left the spec: open for old pods that use it, and for nobody else."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import build_selector
from trading_operator.plan.observed import PodFacts, Ref
from trading_operator.plan.types import Manifest, Plan
from unit.operator_pure.network_evaluator import Connection, Peer, is_allowed
from unit.operator_pure.systems import (
    OWNER,
    World,
    datastore,
    make_spec,
    objects_of,
    plan_for,
    service,
)

WORLD = Peer("198.51.100.1")
ANYWHERE = [{"cidr": "0.0.0.0/0", "ports": [443]}]
OUTSIDE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]}


def _spec(sick: str = "app:1", *needs: str, **fields: Any) -> TradingSystemSpec:
    """Return a system of `sick`, whose image is named, and of `app`, which has the rest."""
    return make_spec(
        datastores=[datastore()],
        services=[service("sick", image=sick), service("app", *needs, **fields)],
    )


def _pod(component: str) -> Peer:
    return Peer("10.244.0.7", build_selector(OWNER, component), OWNER.namespace)


def _opens(plan: Plan, source: Peer, target: Peer, port: int) -> bool:
    policies = objects_of(plan, "NetworkPolicy").values()
    return is_allowed(policies, Connection(source, target, port))


def _sickened(before: TradingSystemSpec, after: TradingSystemSpec, sick: str = "sick") -> World:
    """Return a world in which `sick` never gets ready at what it changes to."""
    world = World()
    world.settle(before)
    for _ in range(5):
        world.apply(plan_for(after, world.observe()))
        old = world.pods[sick]
        world.run_pods(healthy=lambda name: name != sick)
        world.pods[sick] = old  # it serves on: its successor is not ready
    return world


def test_a_revoked_destination_outside_is_closed_while_another_component_never_gets_ready() -> None:
    after = _spec("app:broken")
    world = _sickened(_spec(egress=ANYWHERE), after)
    plan = plan_for(after, world.observe())
    assert plan.components[1].block is None
    assert not _opens(plan, _pod("app"), WORLD, 443)


def test_an_edge_that_is_revoked_is_closed_while_another_component_never_gets_ready() -> None:
    after = _spec("app:broken")
    world = _sickened(_spec("app:1", "db", "sick"), after)
    plan = plan_for(after, world.observe())
    assert not _opens(plan, _pod("app"), _pod("db"), 5432)
    assert not _opens(plan, _pod("app"), _pod("sick"), 8000)


def test_an_old_pod_keeps_its_own_edges_and_destinations_until_it_is_gone() -> None:
    after = _spec("app:1", image="app:broken")
    world = _sickened(_spec("app:1", "db", egress=ANYWHERE), after, "app")
    plan = plan_for(after, world.observe())
    assert _opens(plan, _pod("app"), _pod("db"), 5432)
    assert _opens(plan, _pod("app"), WORLD, 443)
    world.run_pods()
    settled = world.settle(after)
    assert not _opens(settled, _pod("app"), _pod("db"), 5432)
    assert not _opens(settled, _pod("app"), WORLD, 443)


def test_a_pod_that_has_ended_keeps_nothing_open() -> None:
    after = _spec("app:1", image="app:2")
    world = _sickened(_spec("app:1", "db", egress=ANYWHERE), after, "app")
    world.pods["ended"] = _ended(world.pods["app"])
    world.run_pods()
    plan = plan_for(after, world.observe())
    assert not _opens(plan, _pod("app"), _pod("db"), 5432)
    assert not _opens(plan, _pod("app"), WORLD, 443)


def _ended(pod: PodFacts) -> PodFacts:
    return replace(pod, name="momentum-app-evicted", phase="Failed", ready=False)


def test_an_old_port_stays_open_to_everybody_for_as_long_as_a_pod_listens_there() -> None:
    def spec(port: int, image: str) -> TradingSystemSpec:
        ports = [{"name": "http", "port": port, "servicePort": 80}]
        web = service("web", image=image, ports=ports, exposure={"type": "LoadBalancer"})
        return make_spec(services=[web, service("app", "web")])

    world = _sickened(spec(8000, "web:1"), spec(9000, "web:broken"), "web")
    plan = plan_for(spec(9000, "web:broken"), world.observe())
    for port in (8000, 9000):
        assert _opens(plan, WORLD, _pod("web"), port)
        assert _opens(plan, _pod("app"), _pod("web"), port)
    world.run_pods()
    settled = world.settle(spec(9000, "web:broken"))
    assert not _opens(settled, WORLD, _pod("web"), 8000)
    assert not _opens(settled, _pod("app"), _pod("web"), 8000)


FOREIGN: list[tuple[str, str, Manifest]] = [
    ("egress", "everything", {}),
    ("ingress", "everything", {}),
    ("egress", "a destination outside", OUTSIDE),
    (
        "ingress",
        "a component, from one end alone",
        {
            "from": [{"podSelector": {"matchLabels": build_selector(OWNER, "sick")}}],
            "ports": [{"protocol": "TCP", "port": 8000}],
        },
    ),
    (
        "egress",
        "a component, on a range of ports",
        {
            "to": [{"podSelector": {"matchLabels": build_selector(OWNER, "db")}}],
            "ports": [{"protocol": "TCP", "port": 1, "endPort": 65535}],
        },
    ),
]


@pytest.mark.parametrize(("direction", "what", "rule"), FOREIGN, ids=lambda each: str(each)[:40])
@pytest.mark.parametrize("component", ["app", "sick"])
def test_a_rule_that_somebody_added_is_drift_whatever_rolls(
    direction: str, what: str, rule: Manifest, component: str
) -> None:
    after = _spec("app:broken", "db", env=[{"name": "NEW", "value": "1"}])
    world = _sickened(_spec("app:1", "db"), after)
    planned = objects_of(plan_for(after, world.observe()), "NetworkPolicy")
    ref = Ref("NetworkPolicy", f"momentum-{component}")
    live = world.children[ref]
    rules = [*live["spec"].get(direction, ()), rule]
    world.children[ref] = {**live, "spec": {**live["spec"], direction: rules}}
    assert objects_of(plan_for(after, world.observe()), "NetworkPolicy") == planned, what


def test_a_touched_policy_keeps_the_edges_of_old_pods() -> None:
    after = _spec("app:1", image="app:broken")
    world = _sickened(_spec("app:1", "db"), after, "app")
    ref = Ref("NetworkPolicy", "momentum-app")
    live = world.children[ref]
    rules = [*live["spec"]["egress"], {}]
    world.children[ref] = {**live, "spec": {**live["spec"], "egress": rules}}
    plan = plan_for(after, world.observe())
    assert _opens(plan, _pod("app"), _pod("db"), 5432)
    assert not _opens(plan, _pod("app"), WORLD, 443)
