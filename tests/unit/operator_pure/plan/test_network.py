"""NetworkPolicies: the edges of the graph and nothing else, as a network plugin reads them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.engines import ENGINES
from trading_operator.manifests.metadata import (
    JOB_ROLE,
    OPERATOR_ROLE,
    ROLE,
    build_selector,
    build_system_selector,
)
from trading_operator.manifests.network_policy import NameServers
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.trading_system import plan_trading_system
from trading_operator.plan.types import Manifest, Owner
from unit.operator_pure.network_evaluator import Connection, Peer, is_allowed, may_enter
from unit.operator_pure.systems import (
    NOW,
    OPERAND,
    OWNER,
    World,
    acyclic_specs,
    datastore,
    make_spec,
    objects_of,
    plan_for,
    service,
)

NEIGHBOUR = replace(OWNER, name="reversion", uid="uid-2")
NAME_SERVER = "10.96.0.10"
IN_CLUSTER = replace(OPERAND, name_servers=NameServers((NAME_SERVER,)))
EDGES = (service("app", "db"), service("other"))


def policies_of(spec: TradingSystemSpec, owner: Owner = OWNER) -> list[Manifest]:
    """Return the policies of a new system whose operator knows the cluster's name servers."""
    plan = plan_trading_system(owner, spec, Observed(), NOW, IN_CLUSTER)
    return list(objects_of(plan, "NetworkPolicy").values())


def pod(component: str, owner: Owner = OWNER) -> Peer:
    """Return a pod of a component."""
    return Peer("10.244.0.7", build_selector(owner, component), owner.namespace)


def ports(spec: TradingSystemSpec) -> Mapping[str, int]:
    """Return the port that each component's pods listen on."""
    stores = {store.name: ENGINES[store.engine].port for store in spec.datastores}
    return stores | {each.name: each.ports[0].port for each in spec.services if each.ports}


def reached(
    policies: Iterable[Manifest], source: Peer, spec: TradingSystemSpec, owner: Owner = OWNER
) -> set[str]:
    """Return the components that `source` reaches."""
    known = list(policies)
    return {
        name
        for name, port in ports(spec).items()
        if is_allowed(known, Connection(source, pod(name, owner), port))
    }


@pytest.mark.acceptance("A51", "A79", "B23", "C28", "D63", "E06", "X02")
@settings(max_examples=80, deadline=None)
@given(acyclic_specs(), acyclic_specs())
def test_exactly_the_edges_of_the_graph_are_open(
    spec: TradingSystemSpec, neighbour: TradingSystemSpec
) -> None:
    policies = policies_of(spec) + policies_of(neighbour, NEIGHBOUR)
    for component in spec.components:
        edges = {dependency.name for dependency in component.depends_on}
        assert reached(policies, pod(component.name), spec) == edges
        assert reached(policies, pod(component.name), neighbour, NEIGHBOUR) == set()
    for source, target in product(spec.components, spec.components):
        other_port = Connection(pod(source.name), pod(target.name), 6666)
        assert not is_allowed(policies, other_port)


@pytest.mark.acceptance("A09", "A52")
@settings(max_examples=40, deadline=None)
@given(acyclic_specs())
def test_the_operator_scrapers_and_own_jobs_reach_what_is_theirs_and_strangers_nothing(
    spec: TradingSystemSpec,
) -> None:
    watched = spec.model_copy(
        update={"network": spec.network.model_copy(update={"monitoring_namespaces": ["metrics"]})}
    )
    policies = policies_of(watched)
    services = {each.name for each in spec.services}
    operator = Peer("10.244.1.1", {ROLE: OPERATOR_ROLE}, "trading-operator")
    assert reached(policies, operator, watched) == services
    assert reached(policies, Peer("10.244.1.2", {}, "metrics"), watched) == services
    job = Peer("10.244.1.3", {**build_system_selector(OWNER), ROLE: JOB_ROLE}, OWNER.namespace)
    for name, port in ports(spec).items():
        assert may_enter(policies, Connection(job, pod(name), port))
        assert not may_enter(policies, Connection(job, pod(name), port + 1))
    for stranger in _strangers():
        assert reached(policies, stranger, watched) == set()


def _strangers() -> Iterator[Peer]:
    yield Peer("198.51.100.1")
    yield Peer("10.244.1.4", {}, OWNER.namespace)
    yield Peer("10.244.1.5", {"app.kubernetes.io/part-of": OWNER.name}, OWNER.namespace)
    # Who lives beside the operator is not the operator, and its label alone opens nothing.
    yield Peer("10.244.1.6", {}, "trading-operator")
    yield Peer("10.244.1.7", {ROLE: OPERATOR_ROLE}, OWNER.namespace)
    yield Peer("10.244.1.8", {ROLE: JOB_ROLE}, OWNER.namespace)
    other = {**build_system_selector(NEIGHBOUR), ROLE: JOB_ROLE}
    yield Peer("10.244.1.9", other, OWNER.namespace)
    # The labels of a component in another namespace.
    yield replace(pod("c0"), namespace="elsewhere")


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_name_resolution_is_open_to_the_clusters_name_servers_alone(protocol: str) -> None:
    policies = policies_of(make_spec(datastores=[datastore()], services=list(EDGES)))

    def may_ask(server: Peer, port: int = 53) -> bool:
        return is_allowed(policies, Connection(pod("app"), server, port, protocol))

    assert may_ask(Peer("10.244.9.9", {"k8s-app": "kube-dns"}, "kube-system"))
    assert may_ask(Peer(NAME_SERVER))
    assert may_ask(Peer("169.254.20.10"))
    # The port of a pod that runs without rights, behind 53 of its Service.
    assert may_ask(Peer("10.244.9.9", {"k8s-app": "kube-dns"}, "kube-system"), 5353)
    assert not may_ask(Peer(NAME_SERVER), 443)
    assert not may_ask(Peer("198.51.100.53"))
    assert not may_ask(Peer("10.244.9.9", {"k8s-app": "kube-dns"}, OWNER.namespace))
    assert not may_ask(Peer("10.244.9.8", {}, "kube-system"))


def test_the_clusters_name_servers_are_where_the_installation_says() -> None:
    labels = {"dns.operator.openshift.io/daemonset-dns": "default"}
    servers = NameServers((NAME_SERVER,), "openshift-dns", labels, (5353,))
    operand = replace(OPERAND, name_servers=servers)
    spec = make_spec(services=[service("app")])
    plan = plan_trading_system(OWNER, spec, Observed(), NOW, operand)
    policies = list(objects_of(plan, "NetworkPolicy").values())

    def may_ask(server: Peer, port: int) -> bool:
        return is_allowed(policies, Connection(pod("app"), server, port, "UDP"))

    assert may_ask(Peer("10.128.0.9", labels, "openshift-dns"), 5353)
    assert not may_ask(Peer("10.128.0.9", labels, "openshift-dns"), 53)
    assert not may_ask(Peer("10.128.0.9", labels, OWNER.namespace), 5353)
    assert not may_ask(Peer("10.244.9.9", {"k8s-app": "kube-dns"}, "kube-system"), 5353)


@pytest.mark.parametrize("address", ["198.51.100.53", "2001:db8::53", NAME_SERVER])
def test_every_name_server_may_be_asked_where_the_clusters_are_not_known(address: str) -> None:
    policies = objects_of(plan_for(make_spec(services=[service("app")])), "NetworkPolicy").values()
    assert is_allowed(policies, Connection(pod("app"), Peer(address), 53, "UDP"))
    assert is_allowed(policies, Connection(pod("app"), Peer(address), 5353, "UDP"))
    assert not is_allowed(policies, Connection(pod("app"), Peer(address), 443))


def _exposed(**fields: Any) -> list[Manifest]:
    web = service("web", "db", ports=[{"name": "http", "port": 80}, {"name": "ws", "port": 81}])
    return policies_of(
        make_spec(
            network={"ingressNamespaces": fields.pop("namespaces", [])},
            datastores=[datastore()],
            services=[{**web, **fields}, service("other")],
        )
    )


CONTROLLER = Peer("10.244.3.3", {}, "ingress")
WORLD = Peer("198.51.100.1")


def _entered(policies: list[Manifest], source: Peer) -> set[tuple[str, int]]:
    found = product(("web", "other", "db"), (80, 81, 8000, 5432))
    return {
        (name, port)
        for name, port in found
        if is_allowed(policies, Connection(source, pod(name), port))
    }


@pytest.mark.acceptance("B49", "B50")
def test_what_a_load_balancer_exposes_is_reached_from_outside_and_nothing_else_is() -> None:
    policies = _exposed(exposure={"type": "LoadBalancer"})
    assert _entered(policies, WORLD) == {("web", 80), ("web", 81)}
    assert _entered(_exposed(exposure={"type": "ClusterIP"}), WORLD) == set()


def test_an_ingress_opens_its_port_to_its_controllers_namespace() -> None:
    ingress = {"hosts": [{"host": "desk.example.com"}], "port": "ws"}
    named = _exposed(ingress=ingress, namespaces=["ingress"])
    assert _entered(named, CONTROLLER) == {("web", 81)}
    assert _entered(named, WORLD) == set()
    anywhere = _exposed(ingress={"hosts": [{"host": "desk.example.com"}]})
    assert _entered(anywhere, CONTROLLER) == _entered(anywhere, WORLD) == {("web", 80)}


OUTSIDE: list[tuple[str, str, bool]] = [
    ("203.0.113.0/24", "203.0.113.77", True),
    ("203.0.113.0/24", "203.0.114.1", False),
    ("0.0.0.0/0", "198.51.100.1", True),
    ("::/0", "2001:db8::1", True),
    ("::/0", "198.51.100.1", False),
    # The clouds' metadata gives out the node's credentials.
    ("0.0.0.0/0", "169.254.169.254", False),
    ("169.0.0.0/8", "169.254.169.254", False),
    ("::/0", "fd00:ec2::254", False),
    ("fd00::/8", "fd00:ec2::254", False),
    ("::/0", "fe80::1", False),
    # Who names it means it.
    ("169.254.169.254/32", "169.254.169.254", True),
    ("fd00:ec2::254/128", "fd00:ec2::254", True),
]


@pytest.mark.acceptance("A10", "A11", "A12", "X02")
@pytest.mark.parametrize(("cidr", "address", "open_"), OUTSIDE)
def test_only_declared_destinations_outside_can_be_reached(
    cidr: str, address: str, open_: bool
) -> None:
    egress = [{"cidr": cidr, "ports": [443]}]
    policies = policies_of(make_spec(services=[service("app", egress=egress), service("other")]))
    target = Peer(address)
    assert is_allowed(policies, Connection(pod("app"), target, 443)) is open_
    assert not is_allowed(policies, Connection(pod("app"), target, 80))
    assert not is_allowed(policies, Connection(pod("app"), target, 443, "UDP"))
    assert not is_allowed(policies, Connection(pod("other"), target, 443))


def test_the_widest_egress_opens_no_component_of_any_system() -> None:
    egress = [{"cidr": "0.0.0.0/0", "ports": [5432, 8000]}]
    wide = make_spec(services=[service("app", egress=egress), service("api")])
    neighbour = make_spec(datastores=[datastore()], services=[service("web")])
    policies = policies_of(wide) + policies_of(neighbour, NEIGHBOUR)
    assert reached(policies, pod("app"), wide) == set()
    assert reached(policies, pod("app"), neighbour, NEIGHBOUR) == set()


def test_policies_see_the_pods_port_whatever_the_services_is() -> None:
    spec = make_spec(datastores=[datastore(port=6000)], services=list(EDGES))
    policies = policies_of(spec)
    assert is_allowed(policies, Connection(pod("app"), pod("db"), 5432))
    assert not is_allowed(policies, Connection(pod("app"), pod("db"), 6000))


def test_an_address_range_that_is_none_names_its_field() -> None:
    egress = [{"cidr": "203.0.113.0/24", "ports": [1]}, {"cidr": "1.2.3/99", "ports": [1]}]
    with pytest.raises(InvalidSpecError, match=r"services\[0\]\.egress\[1\]\.cidr"):
        plan_for(make_spec(services=[service("app", egress=egress)]))


def test_a_removed_component_keeps_its_connections_until_its_pods_are_gone() -> None:
    world = World()
    world.settle(_with_report())
    without = make_spec(datastores=[datastore()], services=[service("app", "db", image="app:2")])
    world.apply(plan_for(without, world.observe()))
    assert _open(world, "report", "db")  # the others are not ready at their new revision yet
    world.run_pods()
    last = world.pods["report"]
    pruned = plan_for(without, world.observe())
    assert Ref("Deployment", "momentum-report") in pruned.prune
    world.apply(pruned)
    world.pods["report"] = replace(last, deleting=True)  # it drains
    world.apply(plan_for(without, world.observe()))
    assert _open(world, "report", "db")

    del world.pods["report"]
    world.settle(without)
    assert not _open(world, "report", "db")
    assert _open(world, "app", "db")
    assert "momentum-report" not in {ref.name for ref in world.children}


def test_a_pod_that_outlives_its_component_and_its_policies_reaches_nothing() -> None:
    world = World()
    world.settle(_with_report())
    world.settle(make_spec(datastores=[datastore()], services=[service("app", "db")]))
    for target in (Peer("198.51.100.1"), pod("app"), pod("db")):
        for port in (443, 5432, 8000):
            assert not is_allowed(_live(world), Connection(pod("report"), target, port))


def _with_report() -> TradingSystemSpec:
    return make_spec(
        datastores=[datastore()], services=[service("app", "db"), service("report", "db")]
    )


def _open(world: World, source: str, target: str) -> bool:
    return is_allowed(_live(world), Connection(pod(source), pod(target), 5432))


def _live(world: World) -> list[Manifest]:
    return [live for ref, live in world.children.items() if ref.kind == "NetworkPolicy"]


def test_isolation_can_be_turned_off() -> None:
    spec = make_spec(network={"isolation": "Off"}, services=list(EDGES[1:]))
    assert policies_of(spec) == []


def test_without_isolation_the_policies_go_at_once() -> None:
    world = World()
    world.settle(make_spec(services=[service("app")]))
    assert _live(world)
    off = make_spec(services=[service("app")], network={"isolation": "Off"})
    world.apply(plan_for(off, world.observe()))
    assert _live(world) == []
