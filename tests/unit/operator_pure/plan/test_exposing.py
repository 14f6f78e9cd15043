"""Addresses and exposure as objects, and what of them is refused or told."""

from typing import Any

import pytest

from trading_operator.plan.observed import Ref, SecretFacts
from unit.operator_pure.plan.plans_of_service import plan_service, refused, the_only
from unit.operator_pure.systems import (
    World,
    make_spec,
    plan_for,
    service,
    template_of,
)


@pytest.mark.acceptance("B49", "B50", "X11")
def test_a_balanced_service_keeps_its_clients_and_maps_its_port() -> None:
    exposure = {"type": "LoadBalancer", "sessionAffinity": "ClientIP"}
    ports = [{"name": "http", "port": 8501, "servicePort": 80}]
    spec = the_only(plan_service(exposure=exposure, ports=ports), "Service")["spec"]
    assert spec["type"] == "LoadBalancer"
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert spec["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]


@pytest.mark.acceptance("B48", "X10")
def test_a_service_is_reached_from_inside_alone_unless_asked() -> None:
    spec = the_only(plan_service(), "Service")["spec"]
    assert (spec["type"], spec["sessionAffinity"]) == ("ClusterIP", "None")


def test_dependants_use_the_number_of_the_service() -> None:
    ports = [{"name": "http", "port": 8501, "servicePort": 80}]
    spec = make_spec(services=[service("ui", ports=ports), service("app", "ui?")])
    world = World()
    world.settle(spec)
    env = template_of(plan_for(spec, world.observe()), "app")["spec"]["containers"][0]["env"]
    assert {"name": "UI_PORT", "value": "80"} in env


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"exposure": {"type": "LoadBalancer"}, "ports": []}, "services[0].exposure"),
        (
            {"exposure": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}},
            "services[0].exposure.type",
        ),
        (
            {"exposure": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["1.2.3.4/99"]}},
            "services[0].exposure.loadBalancerSourceRanges[0]",
        ),
        (
            {"exposure": {"sessionAffinityTimeout": "1h"}},
            "services[0].exposure.sessionAffinityTimeout",
        ),
        (
            {"exposure": {"sessionAffinity": "ClientIP", "sessionAffinityTimeout": "25h"}},
            "services[0].exposure.sessionAffinityTimeout",
        ),
        (
            {"exposure": {"annotations": {"tradingoperator.io/rendering": "x"}}},
            "services[0].exposure.annotations",
        ),
        (
            {"ingress": {"hosts": [{"host": "a.example"}], "port": "grpc"}},
            "services[0].ingress.port",
        ),
        ({"ingress": {"hosts": [{"host": "a.example"}]}, "ports": []}, "services[0].ingress"),
        (
            {"ports": [{"name": "a", "port": 1, "servicePort": 9}, {"name": "b", "port": 9}]},
            "services[0].ports[1]",
        ),
    ],
)
def test_an_exposure_that_cannot_work_is_refused_with_its_field(
    fields: dict[str, Any], path: str
) -> None:
    error = refused(**fields)
    assert error.path == path
    assert error.mend


def _noted(world: World, spec: Any, **seen: Any) -> list[tuple[str, str]]:
    (component,) = plan_for(spec, world.observe(**seen)).components
    return [(note.reason, note.message) for note in component.notes]


def test_an_address_from_outside_is_told_once_it_is_there() -> None:
    spec = make_spec(services=[service("app", exposure={"type": "LoadBalancer"})])
    world = World()
    world.settle(spec)
    assert [reason for reason, _ in _noted(world, spec)] == ["ExternalAddressPending"]
    points = [{"hostname": "lb.example"}]
    world.children[Ref("Service", "momentum-app")]["status"] = {"loadBalancer": {"ingress": points}}
    assert _noted(world, spec) == [("", "reached from outside at lb.example, port 8000")]


@pytest.mark.acceptance("B31")
@pytest.mark.parametrize(
    ("keys", "complaint"),
    [(None, "there is no Secret cert"), ({"tls.crt"}, "Secret cert has no tls.key")],
)
def test_a_missing_certificate_is_told_and_holds_nothing_up(
    keys: set[str] | None, complaint: str
) -> None:
    ingress = {"hosts": [{"host": "a.example"}], "tlsSecretName": "cert"}
    spec, world = make_spec(services=[service("app", ingress=ingress)]), World()
    facts = {} if keys is None else {"cert": SecretFacts("cert", frozenset(keys), "d")}
    world.settle(spec)
    reason, message = _noted(world, spec, secrets=facts)[0]
    assert reason == "TlsSecretNotFound"
    assert complaint in message
    complete = {"cert": SecretFacts("cert", frozenset({"tls.crt", "tls.key"}), "d")}
    assert all(reason == "" for reason, _ in _noted(world, spec, secrets=complete))
