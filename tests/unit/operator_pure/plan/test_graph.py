"""The graph: waves, cycles, unknown names."""

import pytest
from hypothesis import given

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.graph import start_waves
from unit.operator_pure.systems import acyclic_specs, datastore, make_spec, service


@pytest.mark.acceptance("A41", "A42", "A43", "A44", "A45", "A59")
def test_the_documented_system_starts_in_the_documented_order() -> None:
    spec = make_spec(
        datastores=[datastore("timescaledb", "TimescaleDB")],
        services=[
            service("trading-strategy", "system-controller", "model-training"),
            service("model-training", "system-controller", "feature-engineering"),
            service("feature-engineering", "system-controller", "data-acquisition"),
            service("data-acquisition", "system-controller", "timescaledb"),
            service("system-controller", "timescaledb"),
        ],
    )
    assert start_waves(spec) == (
        ("timescaledb",),
        ("system-controller",),
        ("data-acquisition",),
        ("feature-engineering",),
        ("model-training",),
        ("trading-strategy",),
    )


def test_independent_components_share_a_wave() -> None:
    spec = make_spec(
        datastores=[datastore("db"), datastore("cache", "Redis")],
        services=[service("a", "db"), service("b", "cache"), service("c", "a", "b")],
    )
    assert start_waves(spec) == (("db", "cache"), ("a", "b"), ("c",))


@given(acyclic_specs())
def test_every_component_is_in_a_later_wave_than_all_it_depends_on(spec: TradingSystemSpec) -> None:
    wave_of = {name: at for at, wave in enumerate(start_waves(spec)) for name in wave}
    assert len(wave_of) == len(spec.components)
    for component in spec.components:
        for dependency in component.depends_on:
            assert wave_of[dependency.name] < wave_of[component.name]


def test_a_cycle_names_its_members_and_the_edge_to_remove() -> None:
    spec = make_spec(
        datastores=[datastore("db")],
        services=[
            service("x", "db"),
            service("a", "c"),
            service("b", "a"),
            service("c", "db", "b"),
        ],
    )
    with pytest.raises(InvalidSpecError) as caught:
        start_waves(spec)
    assert caught.value.path == "services[1].dependsOn[0]"
    assert "a -> c -> b -> a" in caught.value.problem


def test_a_cycle_behind_a_tail_is_found() -> None:
    spec = make_spec(services=[service("a", "b"), service("b", "c"), service("c", "b")])
    with pytest.raises(InvalidSpecError, match="b -> c -> b"):
        start_waves(spec)


def test_an_unknown_dependency_names_who_and_which() -> None:
    spec = make_spec(services=[service("a"), service("b", "a", "ghost")])
    with pytest.raises(InvalidSpecError) as caught:
        start_waves(spec)
    assert caught.value.path == "services[1].dependsOn[1].name"
    assert "b depends on the unknown ghost" in caught.value.problem


def test_two_components_of_one_name_are_refused() -> None:
    spec = make_spec(datastores=[datastore("a")], services=[service("a")])
    with pytest.raises(InvalidSpecError, match=r"services\[0\].name: a is already the name of"):
        start_waves(spec)
