"""What was rendered stays while what decides it does, whichever operator looks at it."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from trading_operator.api.datastore import Datastore, EngineName
from trading_operator.api.service import Service
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests import pod as pod_module
from trading_operator.manifests.metadata import Manifest, Part
from trading_operator.manifests.pod import Pod
from trading_operator.plan import revision as revision_module
from trading_operator.plan.draft import System
from trading_operator.plan.inputs import DATASTORE_BESIDES, SERVICE_BESIDES, component_inputs
from trading_operator.plan.observed import Observed, Ref, SecretFacts
from trading_operator.plan.stored_revision import pack_data, read_revision, unpack
from trading_operator.plan.trading_system import plan_trading_system
from trading_operator.plan.types import Plan
from unit.operator_pure.systems import (
    NOW,
    OPERAND,
    OWNER,
    World,
    datastore,
    make_spec,
    objects_of,
    plan_for,
    service,
    template_of,
)


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the operator: it renders every pod otherwise."""

    def build(part: Part, pod: Pod, revision: str) -> Manifest:
        template = pod_module.build_pod_template(part, pod, revision)
        template["spec"]["terminationGracePeriodSeconds"] = 77
        return template

    monkeypatch.setattr(revision_module, "build_pod_template", build)


def _spec(**app: Any) -> TradingSystemSpec:
    return make_spec(
        datastores=[datastore()], services=[service("app", "db", **app), service("other")]
    )


def _revisions(plan: Plan) -> dict[str, str]:
    return {each.name: each.revision for each in plan.components}


def _settled() -> World:
    world = World()
    world.settle(_spec())
    return world


def _plan(world: World, spec: TradingSystemSpec, adopt: str = "") -> Plan:
    commands = {"adopt-rendering": adopt} if adopt else {}
    owner = replace(OWNER, commands=commands)
    return plan_trading_system(owner, spec, world.observe(), NOW, OPERAND)


def test_another_operator_keeps_up_what_was_stored(newer: None) -> None:
    with pytest.MonkeyPatch.context() as older:
        older.setattr(revision_module, "build_pod_template", pod_module.build_pod_template)
        world = _settled()
        before = plan_for(_spec(), world.observe())
    after = plan_for(_spec(), world.observe())
    assert after.objects == before.objects
    assert (after.replace_pods, after.prune, after.revision) == ((), (), before.revision)

    changed = plan_for(_spec(image="app:2"), world.observe())
    assert template_of(changed, "app")["spec"]["terminationGracePeriodSeconds"] == 77
    assert template_of(changed, "other") == template_of(before, "other")
    assert template_of(changed, "db") == template_of(before, "db")


def test_a_new_rendering_is_adopted_once_for_each_value(newer: None) -> None:
    with pytest.MonkeyPatch.context() as older:
        older.setattr(revision_module, "build_pod_template", pod_module.build_pod_template)
        world = _settled()
        before = _revisions(plan_for(_spec(), world.observe()))
    asked = _plan(world, _spec(), "first")
    assert all(_revisions(asked)[name] != before[name] for name in before)
    world.apply(asked)
    # From here on it is stored, also for the former operator and when nobody asks any more.
    with pytest.MonkeyPatch.context() as older:
        older.setattr(revision_module, "build_pod_template", pod_module.build_pod_template)
        for adopt in ("first", ""):
            assert _revisions(_plan(world, _spec(), adopt)) == _revisions(asked)
        back = _plan(world, _spec(), "second")
        assert _revisions(back) == before
        world.apply(back)
    assert _revisions(_plan(world, _spec(), "second")) == before


def test_an_adoption_that_changes_nothing_changes_no_workload() -> None:
    world = _settled()
    asked = _plan(world, _spec(), "first")
    before = plan_for(_spec(), world.observe())
    assert asked.objects[1:] == before.objects[1:]
    world.apply(asked)
    assert world.written == [asked.rendering]


def test_what_was_rendered_before_comes_back_with_its_spec(newer: None) -> None:
    with pytest.MonkeyPatch.context() as older:
        older.setattr(revision_module, "build_pod_template", pod_module.build_pod_template)
        world = _settled()
        first = plan_for(_spec(), world.observe())
    world.settle(_spec(image="app:2"))
    back = plan_for(_spec(), world.observe())
    assert back.revision == first.revision
    assert _revisions(back) == _revisions(first)
    numbers = {each.name: each.number for each in world.observe().revisions}
    assert back.objects[0]["revision"] > max(numbers.values())


def test_a_revision_is_written_before_what_it_describes_and_tells_all_of_it() -> None:
    plan = plan_for(_spec())
    stored = plan.objects[0]
    assert plan.rendering == Ref("ControllerRevision", f"momentum-{plan.revision}")
    renderings = unpack(read_revision(stored, pack_data(stored["data"])))
    assert {name: each.revision for name, each in renderings.items()} == _revisions(plan)
    assert renderings["other"].template == template_of(plan, "other")


@pytest.mark.parametrize("data", [None, [], {"components": []}, {"components": {"app": {}}}])
def test_what_another_hand_stored_in_another_form_is_no_rendering(data: Any) -> None:
    stored = plan_for(_spec()).objects[0]
    revision = read_revision(stored, pack_data(data))
    plan = plan_for(_spec(), Observed(revisions=(revision,)))
    assert _revisions(plan) == _revisions(plan_for(_spec()))


def test_a_secret_that_is_away_is_no_other_secret() -> None:
    env = [{"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}]
    known, other = (
        {"broker": SecretFacts("broker", frozenset({"key"}), digest)} for digest in ("1", "2")
    )
    world = World()
    # The spec was there before its Secret.
    without = plan_for(_spec(env=env), world.observe())
    world.apply(without)
    world.secrets |= known
    before = world.settle(_spec(env=env))
    assert _revisions(before) != _revisions(without)

    away = plan_for(_spec(env=env), world.observe(secrets={}))
    assert (away.revision, away.objects[0]) == (before.revision, before.objects[0])
    changed = plan_for(_spec(env=env, image="app:2"), world.observe(secrets={}))
    assert changed.desired_revision != before.revision == changed.revision
    rolled = plan_for(_spec(env=env), world.observe(secrets={**world.secrets, **other}))
    assert _revisions(rolled)["app"] != _revisions(before)["app"]


def test_scaling_and_storage_change_no_inputs() -> None:
    world = _settled()
    scaled = _spec(replicas=3).model_dump(by_alias=True, exclude_unset=True)
    scaled["datastores"][0]["storage"]["size"] = "2Gi"
    plan = plan_for(TradingSystemSpec.model_validate(scaled), world.observe())
    assert plan.revision == plan_for(_spec(), world.observe()).revision


def test_another_image_of_the_installation_rolls_no_datastore() -> None:
    world = _settled()
    operand = replace(OPERAND, images={EngineName.POSTGRESQL: "registry.example/postgres:17.9"})
    plan = plan_trading_system(OWNER, _spec(), world.observe(), NOW, operand)
    assert plan.objects == plan_for(_spec(), world.observe()).objects
    fresh = plan_trading_system(OWNER, _spec(), Observed(), NOW, operand)
    assert _revisions(fresh)["db"] != _revisions(plan)["db"]


# Each change of the spec, by the path that it takes.
CHANGES: dict[str, Any] = {
    "mode": "Live",
    "imagePullSecrets": ["registry"],
    "env": [{"name": "X", "value": "1"}],
    "configs.0.files": {"a": "2"},
    "volumes.0.accessMode": "ReadWriteOnce",
    "datastores.0.version": "17",
    "datastores.0.image": "pg:1",
    "datastores.0.database": "other",
    "datastores.0.username": "other",
    "datastores.0.credentials": {"secretName": "mine"},
    "datastores.0.parameters": {"max_connections": "50"},
    "datastores.0.initScripts": {"config": "settings"},
    "datastores.0.resources": {"requests": {"cpu": "1"}},
    "datastores.0.runAsUser": 4000,
    "datastores.0.runAsGroup": 4000,
    "datastores.0.scheduling": {"nodeSelector": {"disk": "fast"}},
    "datastores.0.disruptionBudget": {"minAvailable": 0},
    "datastores.0.port": 6000,
    "datastores.0.serviceName": "elsewhere",
    "datastores.0.health": {"period": "30s"},
    "datastores.0.storage": {"size": "3Gi"},
    "services.0.image": "app:2",
    "services.0.imagePullPolicy": "Never",
    "services.0.command": ["run"],
    "services.0.args": ["--now"],
    "services.0.workload": "SingleWriter",
    "services.0.replicas": 2,
    "services.0.autoscaling": {"min": 1, "max": 3, "cpu": 70},
    "services.0.disruptionBudget": {"maxUnavailable": 1},
    "services.0.scheduling": {"nodeSelector": {"disk": "fast"}},
    "services.0.ports": [{"name": "http", "port": 9000}],
    "services.0.serviceName": "api",
    "services.0.exposure": {"type": "LoadBalancer"},
    "services.0.ingress": {"hosts": [{"host": "a.example"}]},
    "services.0.health": {"path": "/ok"},
    "services.0.liveness": {"path": "/livez"},
    "services.0.startupDeadline": "1m",
    "services.0.env": [{"name": "Y", "value": "1"}],
    "services.0.configs": [{"name": "settings", "mountPath": "/other"}],
    "services.0.volumes": [],
    "services.0.writablePaths": ["/scratch"],
    "services.0.resources": {"limits": {"memory": "1Gi"}},
    "services.0.gpu": {"count": 1},
    "services.0.runAsUser": 4000,
    "services.0.runAsGroup": 4000,
    "services.0.terminationGracePeriod": "9s",
    "services.0.egress": [{"cidr": "203.0.113.0/24", "ports": [443]}],
    "services.0.dependsOn": [{"name": "db", "required": False}],
    "services.1.ports": [{"name": "http", "port": 9001}],
    "services.1.ports.0.servicePort": 81,
    "services.1.serviceName": "peer",
    "paused": True,
    "hibernated": True,
    "tradingState": "Halted",
    "deletion": {"volumes": "Delete"},
    "rollout": {"bakeTime": "5m"},
    "network": {"isolation": "Off"},
}
# What the operator itself decides about a change; a component's name makes it another one.
UNCHANGING = {"name", "engine"}


def _wire() -> dict[str, Any]:
    mount = {
        "configs": [{"name": "settings", "mountPath": "/c"}],
        "volumes": [{"name": "models", "mountPath": "/m"}],
        "liveness": {"path": "/live"},
        "resources": {"requests": {"cpu": "100m"}},
    }
    return {
        "configs": [{"name": "settings", "files": {"a": "1"}}],
        "volumes": [{"name": "models", "size": "1Gi"}],
        "datastores": [datastore()],
        "services": [
            service("app", "db", "peer", **mount),
            {"name": "peer", "image": "peer:1", "ports": [{"name": "http", "port": 8000}]},
        ],
    }


def _changed(path: str, value: Any) -> TradingSystemSpec:
    wire = copy.deepcopy(_wire())
    *steps, last = path.split(".")
    target: Any = wire
    for step in steps:
        target = target[int(step)] if step.isdigit() else target[step]
    target[last] = value
    return TradingSystemSpec.model_validate(wire)


def _inputs(spec: TradingSystemSpec) -> dict[str, str]:
    system = System(OWNER, spec, Observed(), OPERAND)
    return {name: component_inputs(system, each) for name, each in system.components.items()}


@pytest.mark.parametrize("path", CHANGES)
def test_whatever_changes_pods_changes_what_decides_them(path: str) -> None:
    before, after = TradingSystemSpec.model_validate(_wire()), _changed(path, CHANGES[path])
    revisions = [_revisions(plan_for(spec)) for spec in (before, after)]
    inputs = [_inputs(spec) for spec in (before, after)]
    rolled = {name for name in revisions[0] if revisions[0][name] != revisions[1][name]}
    decided = {name for name in inputs[0] if inputs[0][name] != inputs[1][name]}
    assert rolled <= decided


@pytest.mark.parametrize(
    ("model", "besides", "prefix"),
    [
        (Datastore, DATASTORE_BESIDES, "datastores.0"),
        (Service, SERVICE_BESIDES, "services.0"),
        (TradingSystemSpec, frozenset(), ""),
    ],
)
def test_every_field_is_tried(model: type[BaseModel], besides: frozenset[str], prefix: str) -> None:
    assert besides <= model.model_fields.keys()
    aliases = {str(field.alias or name) for name, field in model.model_fields.items()}
    roots = {
        path.removeprefix(f"{prefix}.").split(".")[0] for path in CHANGES if path.startswith(prefix)
    }
    assert aliases - UNCHANGING - {"dependsOn"} <= roots | {"datastores", "services"}


def test_the_components_of_a_revision_are_ordered_by_no_accident() -> None:
    forward, backward = (
        make_spec(services=[service(name) for name in names]) for names in ("ab", "ba")
    )
    assert plan_for(forward).revision == plan_for(backward).revision


def test_a_deployments_stored_ports_are_those_that_its_policy_opens(newer: None) -> None:
    world = _settled()
    policy = objects_of(plan_for(_spec(), world.observe()), "NetworkPolicy")["momentum-app"]
    assert policy["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 8000}]
