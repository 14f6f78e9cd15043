"""NetworkPolicies: the edges of the graph and nothing else."""

from typing import Any

import pytest

from trading_operator.plan.types import Manifest
from unit.operator_pure.systems import datastore, make_spec, objects_of, plan_for, service


def _policies(**network: Any) -> dict[str, Manifest]:
    spec = make_spec(
        network=network,
        datastores=[datastore(port=6000)],
        services=[
            service("app", "db", egress=[{"cidr": "203.0.113.0/24", "ports": [443]}]),
            service("other"),
        ],
    )
    return {
        name.removeprefix("momentum"): policy["spec"]
        for name, policy in objects_of(plan_for(spec), "NetworkPolicy").items()
    }


def _components(peers: list[Manifest]) -> list[str]:
    labels = [peer.get("podSelector", {}).get("matchLabels", {}) for peer in peers]
    return [found["app.kubernetes.io/component"] for found in labels if found]


@pytest.mark.acceptance("A51", "A79", "X02")
def test_by_default_nothing_gets_in_and_only_name_resolution_gets_out() -> None:
    policy = _policies()[".default-deny"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    assert policy["egress"] == [
        {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
    ]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/part-of"] == "momentum"


@pytest.mark.acceptance("A51", "X02")
def test_an_edge_opens_the_pods_port_on_both_sides_and_to_nobody_else() -> None:
    policies = _policies()
    (ingress,) = policies["-db"]["ingress"]
    assert _components(ingress["from"]) == ["app"]
    assert len(ingress["from"]) == 1
    # Policies see the pod's port, whatever the Service's is.
    assert ingress["ports"] == [{"protocol": "TCP", "port": 5432}]
    edge = policies["-app"]["egress"][0]
    assert _components(edge["to"]) == ["db"]
    assert edge["ports"] == [{"protocol": "TCP", "port": 5432}]
    assert "egress" not in policies["-other"]


@pytest.mark.acceptance("A10", "A11", "A12", "X02")
def test_only_declared_destinations_outside_can_be_reached() -> None:
    policies = _policies()
    assert policies["-app"]["egress"][1] == {
        "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}],
        "ports": [{"protocol": "TCP", "port": 443}],
    }


@pytest.mark.acceptance("A09", "A52")
def test_monitoring_and_the_operator_reach_the_services_but_not_the_databases() -> None:
    policies = _policies(monitoringNamespaces=["monitoring"])
    names = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in policies["-other"]["ingress"][0]["from"]
    ]
    assert names == ["trading-operator", "monitoring"]
    assert not any("namespaceSelector" in peer for peer in policies["-db"]["ingress"][0]["from"])


def test_isolation_can_be_turned_off() -> None:
    assert _policies(isolation="Off") == {}
