"""The models: wire names, defaults, tolerance."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from trading_operator.api.common import parse_duration
from trading_operator.api.trading_system import TradingSystem, TradingSystemSpec
from unit.operator_pure.systems import component_names, make_spec, plan_for, service


def test_a_newer_field_does_not_stop_an_older_operator() -> None:
    spec = TradingSystemSpec.model_validate({"services": [], "rollout": {"bakeTime": "1m"}})
    assert spec.services == []


def test_wire_names_are_camel_case() -> None:
    body = {"spec": {"services": [{"name": "a", "image": "i:1", "dependsOn": [{"name": "b"}]}]}}
    system = TradingSystem.model_validate(body)
    assert system.spec.services[0].depends_on[0].required is True


def test_a_quantity_may_be_a_number() -> None:
    spec = TradingSystemSpec.model_validate({"volumes": [{"name": "v", "size": 1024}]})
    assert spec.volumes[0].size == "1024"


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a" * 28, "1a", ""])
def test_names_that_would_not_fit_a_derived_name_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TradingSystemSpec.model_validate({"services": [{"name": name, "image": "i:1"}]})


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1m30s", 90), ("1h", 3600), ("0s", 0), ("1h1m1s", 3661)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "fields",
    [
        {"terminationGracePeriod": "99999999999999h"},
        {"startupDeadline": "10000h"},
        {"resources": {"limits": {"memory": "99999999999999999999"}}},
        {"resources": {"limits": {"memory": "1000Pi"}}},
    ],
)
def test_amounts_that_nothing_can_count_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TradingSystemSpec.model_validate({"services": [{"name": "a", "image": "i:1", **fields}]})


@pytest.mark.parametrize(
    "amount", ["999999999999999999", "999999999999999.999Ki", "999.999Pi", "0.001m", "999999.999T"]
)
@pytest.mark.parametrize("duration", ["9999h", "99999999s9999h", "999999m999999m"])
def test_the_largest_amounts_that_are_admitted_can_be_planned(amount: str, duration: str) -> None:
    check = {"command": ["true"], "period": duration, "timeout": duration}
    spec = make_spec(
        volumes=[{"name": "v", "size": amount}],
        services=[
            service(
                "a",
                health=check,
                liveness=check,
                startupDeadline=duration,
                terminationGracePeriod=duration,
                resources={"limits": {"memory": amount, "cpu": amount}},
            )
        ],
    )
    assert component_names(plan_for(spec).objects) == ["a"]
