from typing import Any

import pytest

from cluster.storage_plan import PROVISIONED_BY, SELECTED_NODE, plan_storage

PROVISIONER = "example.io/host-path"


def storage_class(**fields: str) -> dict[str, Any]:
    waiting = {"volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"}
    return {"metadata": {"name": "standard"}, "provisioner": PROVISIONER, **waiting, **fields}


def claim(size: str = "1Gi", **spec: str) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "n",
            "name": "data",
            "uid": "u1",
            "annotations": {SELECTED_NODE: "node"},
        },
        "spec": {
            "storageClassName": "standard",
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": size}},
            **spec,
        },
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
    }


def volume(phase: str = "Bound", policy: str = "Delete", size: str = "1Gi") -> dict[str, Any]:
    return {
        "metadata": {"name": "pvc-u1", "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {"capacity": {"storage": size}, "persistentVolumeReclaimPolicy": policy},
        "status": {"phase": phase},
    }


def plan(classes: Any, claims: Any, volumes: Any) -> Any:
    return plan_storage(PROVISIONER, "/volumes", classes, claims, volumes)


def test_a_waiting_claim_gets_a_volume_of_its_size_mode_and_policy() -> None:
    [created] = plan([storage_class(reclaimPolicy="Retain")], [claim("3Gi")], []).create
    assert created["spec"]["capacity"] == {"storage": "3Gi"}
    assert created["spec"]["accessModes"] == ["ReadWriteMany"]
    assert created["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert created["spec"]["hostPath"]["path"] == "/volumes/pvc-u1"
    assert created["spec"]["claimRef"]["uid"] == "u1"


def test_a_claim_waits_for_its_pods_node_unless_the_class_binds_at_once() -> None:
    unplaced = claim()
    unplaced["metadata"]["annotations"] = {}
    assert plan([storage_class()], [unplaced], []).create == ()
    assert len(plan([storage_class(volumeBindingMode="Immediate")], [unplaced], []).create) == 1


@pytest.mark.parametrize(
    ("claims", "volumes"),
    [
        ([claim(storageClassName="other")], []),
        ([claim(volumeName="pvc-u1")], []),
        ([claim()], [volume()]),
    ],
    ids=["class of somebody else", "bound", "made by an earlier try"],
)
def test_no_volume_is_made_where_none_is_due(claims: Any, volumes: Any) -> None:
    assert plan([storage_class()], claims, volumes).create == ()


def test_a_released_volume_goes_only_when_its_policy_says_so() -> None:
    assert plan([], [], [volume("Released", "Delete")]).remove == ("pvc-u1",)
    assert plan([], [], [volume("Released", "Retain")]).remove == ()
    assert plan([], [], [volume("Bound", "Delete")]).remove == ()


def test_a_foreign_volume_is_never_removed() -> None:
    foreign = volume("Released")
    foreign["metadata"]["annotations"][PROVISIONED_BY] = "somebody.else"
    assert plan([storage_class()], [], [foreign]).remove == ()


def test_a_larger_claim_grows_its_volume_first_and_is_reported_then() -> None:
    larger = claim("2Gi", volumeName="pvc-u1")
    first = plan([storage_class()], [larger], [volume(size="1Gi")])
    assert (first.grow, first.report) == ((("pvc-u1", "2Gi"),), ())
    second = plan([storage_class()], [larger], [volume(size="2Gi")])
    assert (second.grow, second.report) == ((), (("n", "data", "2Gi"),))
