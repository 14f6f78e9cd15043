"""An event says why a component's pods are replaced, and tells no value that may be secret."""

from typing import Any

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.observe.rolling import rolling_events
from trading_operator.plan.observed import Ref, SecretFacts
from trading_operator.plan.types import Applied
from unit.operator_pure.systems import World, make_spec, plan_for, service


def _spec(**fields: Any) -> TradingSystemSpec:
    return make_spec(services=[service("app", **fields), service("other")])


def _told(
    before: TradingSystemSpec, after: TradingSystemSpec, **seen: Any
) -> list[tuple[str, str]]:
    world = World()
    world.settle(before, **{name: value[0] for name, value in seen.items()})
    observed = world.observe(**{name: value[1] for name, value in seen.items()})
    applied = world.apply(plan_for(after, observed))
    return [(event.component, event.message) for event in rolling_events(applied, observed)]


def test_images_are_told_with_both_values_and_variables_by_name() -> None:
    env = [{"name": "LOG_LEVEL", "value": "hidden-1"}, {"name": "GONE", "value": "hidden-3"}]
    before = _spec(env=env)
    after = _spec(image="app:2", env=[{"name": "LOG_LEVEL", "value": "hidden-2"}])
    ((component, message),) = _told(before, after)
    assert component == "app"
    assert message.startswith("image app:1 -> app:2; env LOG_LEVEL changed")
    assert "env GONE changed" in message
    assert "hidden" not in message


def test_replica_counts_are_told_with_a_change_and_are_none_alone() -> None:
    assert _told(_spec(), _spec(replicas=3)) == []
    ((_, message),) = _told(_spec(), _spec(replicas=3, args=["--fast"]))
    assert "replicas 1 -> 3" in message
    assert "args changed" in message
    assert "fast" not in message


def test_another_content_of_a_secret_is_told_without_it() -> None:
    spec = _spec(env=[{"name": "K", "secretKeyRef": {"name": "s", "key": "k"}}])
    secrets = [{"s": SecretFacts("s", frozenset({"k"}), digest)} for digest in ("one", "two")]
    ((component, message),) = _told(spec, spec, secrets=secrets)
    assert (component, message) == (
        "app",
        "the content of a Secret or ConfigMap that it reads changed",
    )


def test_nothing_is_told_of_a_first_start_and_of_a_write_that_changes_no_pod() -> None:
    world = World()
    observed = world.observe()
    applied = world.apply(plan_for(_spec(), observed))
    assert list(rolling_events(applied, observed)) == []
    ref = Ref("Deployment", "momentum-app")
    live = world.children[ref]
    labelled = {**live, "metadata": {**live["metadata"], "labels": {}}}
    again = Applied(applied.plan, {ref: live})
    assert list(rolling_events(again, world.observe(children={ref: labelled}))) == []
