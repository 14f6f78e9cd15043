"""Datastores as objects: volumes, passwords, growth."""

from typing import Any

import pytest

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Manifest, Plan
from unit.operator_pure.systems import (
    World,
    datastore,
    make_spec,
    objects_of,
    plan_for,
    service,
)

DATA = Ref("PersistentVolumeClaim", "data-momentum-db-0")


def _stateful_set(plan: Plan) -> Manifest:
    return objects_of(plan, "StatefulSet")["momentum-db"]


@pytest.mark.acceptance("A38")
def test_the_volume_is_kept_whatever_becomes_of_the_datastore() -> None:
    spec = _stateful_set(plan_for(make_spec(datastores=[datastore()])))["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_a_generated_secret_outlives_the_system_and_holds_no_value_in_the_plan() -> None:
    plan = plan_for(make_spec(datastores=[datastore(username="u", database="d", serviceName="pg")]))
    (request,) = plan.generated_secrets
    assert request.manifest["metadata"]["name"] == "momentum-db-credentials"
    assert "ownerReferences" not in request.manifest["metadata"]
    assert "data" not in request.manifest
    assert "stringData" not in request.manifest
    assert request.username == "u"
    assert request.fields == {
        "database": "d",
        "host": "pg",
        "port": "5432",
        "uri": "postgresql://u:{password}@pg:5432/d",
    }


def test_a_datastore_has_one_address_with_the_port_that_was_asked_for() -> None:
    spec = make_spec(datastores=[datastore(port=6000, serviceName="pg")])
    (address,) = objects_of(plan_for(spec), "Service").values()
    assert address["metadata"]["name"] == "pg"
    assert address["spec"]["ports"] == [
        {"name": "postgresql", "port": 6000, "targetPort": "postgresql", "protocol": "TCP"}
    ]


@pytest.mark.acceptance("A19")
def test_init_scripts_are_mounted_where_the_image_looks_for_them() -> None:
    spec = make_spec(
        configs=[{"name": "init", "files": {"init.sql": "select 1"}}],
        datastores=[datastore(initScripts={"config": "init"})],
    )
    pod = _stateful_set(plan_for(spec))["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["init"] == "/docker-entrypoint-initdb.d"
    assert mounts["data"] == "/var/lib/postgresql/data"


def test_a_volume_grows_in_its_claim_and_then_in_the_immutable_template() -> None:
    world = World()
    world.settle(_of_size("1Gi"))
    before = world.children[Ref("StatefulSet", "momentum-db")]
    plan = plan_for(_of_size("3Gi"), world.observe())
    assert _request(objects_of(plan, DATA.kind)[DATA.name]) == "3Gi"
    assert _stateful_set(plan)["spec"] == before["spec"]

    world.apply(plan)
    plan = plan_for(_of_size("3Gi"), world.observe())
    (anew,) = plan.recreate  # the template is immutable
    (template,) = anew["spec"]["volumeClaimTemplates"]
    assert _request(template) == "3Gi"


def _request(claim: Manifest) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _planned_size(world: World, size: str) -> str:
    plan = plan_for(_of_size(size), world.observe())
    return _request(objects_of(plan, DATA.kind)[DATA.name])


def _claim(size: str, **metadata: Any) -> Manifest:
    return {
        "kind": DATA.kind,
        "metadata": {"name": DATA.name, "uid": "uid-of-claim", **metadata},
        "spec": {"resources": {"requests": {"storage": size}}},
    }


def _of_size(size: str) -> TradingSystemSpec:
    return make_spec(datastores=[datastore(storage={"size": size})])


def test_a_volume_that_was_kept_grows_to_what_its_new_system_asks_for() -> None:
    world = World()
    world.settle(_of_size("3Gi"))
    world.children[DATA] = _claim("1Gi")
    assert _planned_size(world, "3Gi") == "3Gi"


def test_a_volume_that_somebody_enlarged_is_left_alone() -> None:
    world = World()
    world.settle(_of_size("1Gi"))
    for size in ("5Gi", "5e9"):  # the second is a form that the operator does not read
        world.children[DATA] = _claim(size)
        assert _planned_size(world, "2Gi") == size
        assert plan_for(_of_size("2Gi"), world.observe()).components[0].block is None


def test_growth_that_was_refused_can_be_taken_back_and_growth_that_was_made_cannot() -> None:
    world = World()
    world.settle(_of_size("1Gi"))
    world.children[DATA] = _claim("1Gi")
    plan = plan_for(_of_size("3Gi"), world.observe())
    assert plan_for(_of_size("1Gi"), world.observe()).components[0].block is None

    world.apply(plan)
    taken_back = plan_for(_of_size("1Gi"), world.observe())
    block = taken_back.components[0].block
    assert block is not None
    assert block.reason == "VolumeShrinks"
    assert block.message.startswith(
        "datastores[0].storage.size: a volume cannot shrink from 3Gi; set the size to 3Gi again"
    )
    assert plan_for(_of_size("3Gi"), world.observe()).components[0].block is None


def test_a_shared_volume_cannot_shrink_and_one_that_was_enlarged_is_left_alone() -> None:
    def spec(size: str) -> TradingSystemSpec:
        mount = {"volumes": [{"name": "models", "mountPath": "/m"}]}
        volumes = [{"name": "models", "size": size}]
        return make_spec(volumes=volumes, services=[service("app", **mount)])

    ref = Ref("PersistentVolumeClaim", "momentum-models")
    world = World()
    world.settle(spec("2Gi"))
    plan = plan_for(spec("1Gi"), world.observe())
    assert plan.components[0].block is not None
    assert plan.components[0].block.message.startswith("volumes[0].size: a volume cannot shrink")
    assert (
        objects_of(plan, "PersistentVolumeClaim")[ref.name]["spec"] == (world.children[ref]["spec"])
    )

    live = world.children[ref]
    enlarged = {**live["spec"], "resources": {"requests": {"storage": "5Gi"}}}
    world.children[ref] = {**live, "spec": enlarged}
    plan = plan_for(spec("2Gi"), world.observe())
    assert plan.components[0].block is None
    assert objects_of(plan, "PersistentVolumeClaim")[ref.name]["spec"] == enlarged
