"""Datastores as objects: volumes, passwords, growth."""

import pytest

from trading_operator.plan.types import Manifest, Plan, Ref
from unit.operator_pure.systems import World, datastore, make_spec, objects_of, plan_for


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


def test_a_volume_grows_in_its_claim_and_the_immutable_template_stays() -> None:
    world = World()
    world.settle(make_spec(datastores=[datastore()]))
    grown = make_spec(datastores=[datastore(storage={"size": "3Gi"})])
    assert objects_of(plan_for(grown, world.observe()), "PersistentVolumeClaim") == {}

    claim = Ref("PersistentVolumeClaim", "data-momentum-db-0")
    world.children[claim] = {"kind": claim.kind, "metadata": {"name": claim.name}, "spec": {}}
    plan = plan_for(grown, world.observe())
    wanted = objects_of(plan, "PersistentVolumeClaim")["data-momentum-db-0"]
    assert wanted["spec"] == {"resources": {"requests": {"storage": "3Gi"}}}
    before = world.children[Ref("StatefulSet", "momentum-db")]
    assert _stateful_set(plan)["spec"] == before["spec"]
