"""What the API server lets through and makes no sense: refused with its field and the mend."""

from typing import Any

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.trading_system import TradingSystemSpec
from unit.operator_pure.systems import datastore, make_spec, plan_for, service


def _refused(spec: TradingSystemSpec) -> str:
    with pytest.raises(InvalidSpecError) as caught:
        plan_for(spec)
    return str(caught.value)


def _web(name: str, *paths: str, host: str = "desk.example.com", **ingress: Any) -> dict[str, Any]:
    hosts = [{"host": host, **({"paths": list(paths)} if paths else {})}]
    return service(name, ingress={"hosts": hosts, **ingress})


@pytest.mark.parametrize(
    ("first", "second"), [((), ("/",)), (("/a",), ("/b", "/a")), (("/a/",), ("/b", "/a"))]
)
def test_two_services_cannot_have_one_path_of_a_host(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    said = _refused(make_spec(services=[_web("one", *first), _web("two", *second)]))
    assert f"services[1].ingress.hosts[0].paths[{len(second) - 1}]" in said
    assert "of two leads to one already" in said
    assert "give one of them another path or host" in said


def test_one_service_cannot_have_a_path_twice() -> None:
    said = _refused(make_spec(services=[_web("one", "/a", "/a/")]))
    assert "services[0].ingress.hosts[0].paths[1]" in said


def test_services_share_a_host_a_path_or_both_on_different_controllers() -> None:
    plan = plan_for(
        make_spec(
            services=[
                _web("one", "/a"),
                _web("two", "/b"),
                _web("three", "/a", host="other.example.com"),
                _web("four", "/a", className="internal"),
            ]
        )
    )
    assert len([each for each in plan.objects if each["kind"] == "Ingress"]) == 4


@pytest.mark.parametrize("path", ["/a%2fb", "/a%2Fb"])
def test_a_path_that_hides_a_slash_is_refused(path: str) -> None:
    said = _refused(make_spec(services=[_web("one", path)]))
    assert "services[0].ingress.hosts[0].paths[0]" in said
    assert "write it without %2f" in said


@pytest.mark.parametrize(
    ("name", "requested", "limit"),
    [("cpu", "2", "1500m"), ("memory", "1Gi", "1G"), ("ephemeralStorage", "2Mi", "1Mi")],
)
@pytest.mark.parametrize("kind", ["datastores", "services"])
def test_a_request_above_its_limit_names_both_fields(
    kind: str, name: str, requested: str, limit: str
) -> None:
    resources = {"requests": {name: requested}, "limits": {name: limit}}
    make = datastore if kind == "datastores" else service
    said = _refused(make_spec(**{kind: [make("c", resources=resources)]}))
    assert f"{kind}[0].resources.requests.{name}" in said
    assert f"{requested} is more than the limit {limit}" in said
    assert f"raise {kind}[0].resources.limits.{name}" in said


def test_a_request_up_to_its_limit_or_without_one_is_taken() -> None:
    for limits in ({"cpu": "1"}, {"memory": "1Mi"}):
        resources = {"requests": {"cpu": "1000m"}, "limits": limits}
        assert plan_for(make_spec(services=[service("app", resources=resources)])).objects


@pytest.mark.parametrize("toleration", [{}, {"operator": "Equal", "effect": "NoExecute"}])
def test_a_toleration_of_every_taint_says_so(toleration: dict[str, str]) -> None:
    scheduling = {"tolerations": [{"key": "a"}, toleration]}
    said = _refused(make_spec(services=[service("app", scheduling=scheduling)]))
    assert "services[0].scheduling.tolerations[1]" in said
    assert "set operator: Exists" in said
    every = {"tolerations": [{"operator": "Exists"}]}
    assert plan_for(make_spec(services=[service("app", scheduling=every)])).objects
