"""Volumes are the operator's own claims: they grow, change hands, and are never lost unasked."""

from functools import partial
from typing import Any

import pytest

from integration.kube_client import KubeClient, Namespace, eventually, suppress_missing
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system

CLAIM = "data-one-db-0"
SHARED = "one-models"
PASSWORD = "one-db-credentials"
CLASSES = "apis/storage.k8s.io/v1/storageclasses"


def test_the_claim_is_there_before_its_workload_and_owns_the_password(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    creations = [each for each in operators.writes() if each.startswith("create ")]
    order = [
        f"create {each}" for each in (f"persistentvolumeclaims/{CLAIM}", f"secrets/{PASSWORD}")
    ]
    order.append("create statefulsets/one-db")
    assert [each for each in creations if each in order] == order
    claim = namespace.get("persistentvolumeclaims", CLAIM)
    (owner,) = namespace.get("secrets", PASSWORD)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("PersistentVolumeClaim", claim["metadata"]["uid"])
    assert "ownerReferences" not in claim["metadata"]
    pod = namespace.get("pods", "one-db-0")
    mounted = [each.get("persistentVolumeClaim", {}) for each in pod["spec"]["volumes"]]
    assert {"claimName": CLAIM} in mounted


def test_the_policy_changes_hands_both_ways_and_nothing_else(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, volumes=[{"name": "models", "size": "1Gi"}])
    before = {name: namespace.get("persistentvolumeclaims", name) for name in (CLAIM, SHARED)}
    pods = _pods(namespace)
    for policy, owners in (
        ("Delete", ["TradingSystem"]),
        ("Retain", []),
        ("Delete", ["TradingSystem"]),
    ):
        namespace.merge("tradingsystems", "one", {"spec": {"deletion": {"volumes": policy}}})
        for name, was in before.items():
            eventually(partial(_is_owned_by, namespace, name, owners))
            claim = namespace.get("persistentvolumeclaims", name)
            assert claim["spec"] == was["spec"]
            assert claim["metadata"]["uid"] == was["metadata"]["uid"]
    assert _pods(namespace) == pods
    settled = operators.settle(2.0)
    assert operators.settle() == settled


def test_a_reference_that_somebody_else_set_does_not_take_the_data_away(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    system = namespace.get("tradingsystems", "one")
    reference = {
        "apiVersion": system["apiVersion"],
        "kind": system["kind"],
        "name": "one",
        "uid": system["metadata"]["uid"],
    }
    patch = {"metadata": {"ownerReferences": [reference]}}
    namespace.merge("persistentvolumeclaims", CLAIM, patch)
    eventually(lambda: _owners(namespace, CLAIM) == [])
    settled = operators.settle(2.0)
    assert operators.settle() == settled


@pytest.mark.parametrize("stays", [True, False])
def test_a_stateful_set_that_was_told_to_take_its_claim_along_does_not(
    namespace: Namespace, operators: Operators, stays: bool
) -> None:
    _start(namespace, operators)
    uid = namespace.get("persistentvolumeclaims", CLAIM)["metadata"]["uid"]
    operators.running[-1].stop()
    policy = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}
    namespace.merge("statefulsets", "one-db", {"spec": policy})
    eventually(lambda: _owners(namespace, CLAIM) == ["StatefulSet"])
    if not stays:
        namespace.merge("tradingsystems", "one", {"spec": {"datastores": []}})
    operators.start_leading()
    eventually(lambda: ("one-db" in namespace.names("statefulsets")) is stays)
    eventually(lambda: _owners(namespace, CLAIM) == [])
    eventually(lambda: namespace.is_ready("one"))
    eventually(lambda: ("one-db-0" in _pods(namespace)) is stays)
    settled = operators.settle(2.0)
    assert operators.settle() == settled
    claim = namespace.get("persistentvolumeclaims", CLAIM)["metadata"]
    assert (claim["uid"], claim.get("deletionTimestamp")) == (uid, None)


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_component_that_leaves_the_spec_keeps_its_volume(
    namespace: Namespace, operators: Operators, policy: str
) -> None:
    _start(namespace, operators, deletion={"volumes": policy})
    namespace.merge("tradingsystems", "one", {"spec": {"datastores": []}})
    eventually(lambda: "one-db" not in namespace.names("statefulsets"))
    eventually(lambda: _owners(namespace, CLAIM) == [])
    namespace.delete("tradingsystems", "one")
    eventually(lambda: not namespace.names("deployments"))
    operators.settle()
    assert CLAIM in namespace.names("persistentvolumeclaims")
    assert PASSWORD in namespace.names("secrets")


def test_a_volume_grows_from_the_spec_and_its_template_follows(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    pods = _pods(namespace)
    namespace.merge("tradingsystems", "one", _sized("2Gi"))
    eventually(lambda: _size(namespace) == "2Gi")
    eventually(lambda: _template_size(namespace) == "2Gi")
    eventually(lambda: namespace.is_ready("one"))
    assert _pods(namespace) == pods
    settled = operators.settle(2.0)
    assert operators.settle() == settled


def test_a_volume_never_shrinks_and_the_field_is_named(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    namespace.merge("tradingsystems", "one", _sized("512Mi"))
    line = eventually(lambda: _line(namespace, "VolumeShrinks"))
    assert "datastores[0].storage.size" in line["message"]
    assert _size(namespace) == "1Gi"
    namespace.merge("tradingsystems", "one", _sized("1Gi"))
    eventually(lambda: namespace.is_ready("one"))


def test_growth_that_the_storage_class_does_not_allow_is_said_with_its_mend(
    client: KubeClient, namespace: Namespace, operators: Operators
) -> None:
    rigid = f"{namespace.name}-rigid"
    _make_class(client, rigid, "standard", allowVolumeExpansion=False)
    try:
        _start(namespace, operators, storage_class=rigid)
        namespace.merge("tradingsystems", "one", _sized("2Gi", rigid))
        line = eventually(lambda: _line(namespace, "VolumeCannotGrow"))
        assert "allowVolumeExpansion" in line["message"]
        assert "datastores[0].storage.size" in line["message"]
        assert _size(namespace) == "1Gi"
        assert line["state"] == "Blocked"
        namespace.merge("tradingsystems", "one", _sized("1Gi", rigid))
        eventually(lambda: namespace.is_ready("one"))
        namespace.merge("tradingsystems", "one", _sized("1Gi", "standard"))
        line = eventually(lambda: _line(namespace, "StorageClassChange"))
        assert "datastores[0].storage.storageClassName" in line["message"]
    finally:
        with suppress_missing():
            client.request("DELETE", f"{CLASSES}/{rigid}")


def test_a_claim_of_somebody_else_is_never_taken(
    namespace: Namespace, operators: Operators
) -> None:
    namespace.create("persistentvolumeclaims", _foreign_claim())
    # With a password of the user's own no generated Secret stands in the way.
    namespace.create("secrets", {"metadata": {"name": "mine"}, "stringData": {"password": "p"}})
    operators.start_leading()
    store = {**build_datastore("db"), "credentials": {"secretName": "mine"}}
    namespace.create("tradingsystems", build_system("one", [build_service("api")], [store]))
    line = eventually(lambda: _line(namespace, "NameConflict"))
    assert f"PersistentVolumeClaim {CLAIM}" in line["message"]
    operators.settle()
    assert namespace.get("statefulsets", "one-db") is None
    assert namespace.get("persistentvolumeclaims", CLAIM)["metadata"].get("labels") is None

    namespace.delete("persistentvolumeclaims", CLAIM)
    eventually(lambda: namespace.is_ready("one"), 60)


def test_a_claim_that_an_older_operator_left_to_its_workload_is_taken_over(
    namespace: Namespace, operators: Operators
) -> None:
    labels = {
        "app.kubernetes.io/managed-by": "trading-operator",
        "app.kubernetes.io/part-of": "one",
        "app.kubernetes.io/component": "db",
    }
    claim = _foreign_claim()
    claim["metadata"]["labels"] = labels
    made = namespace.create("persistentvolumeclaims", claim)
    secret = {
        "metadata": {"name": PASSWORD, "labels": labels},
        "stringData": {"username": "trading", "password": "kept"},
    }
    namespace.create("secrets", secret)
    _start(namespace, operators, deletion={"volumes": "Delete"})
    taken = namespace.get("persistentvolumeclaims", CLAIM)
    assert taken["metadata"]["uid"] == made["metadata"]["uid"]
    assert _owners(namespace, CLAIM) == ["TradingSystem"]
    assert namespace.get("secrets", PASSWORD)["data"]["password"] == "a2VwdA=="


def test_a_volume_whose_password_is_lost_gets_no_new_one(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    eventually(lambda: _bound(namespace))
    operators.running[-1].kill()
    for kind, name in (("statefulsets", "one-db"), ("secrets", PASSWORD)):
        namespace.delete(kind, name)
    eventually(lambda: namespace.get("pods", "one-db-0") is None)
    with suppress_missing():
        namespace.delete("leases", "trading-operator")
    operators.start_leading()
    line = eventually(lambda: _line(namespace, "CredentialsLost"))
    assert CLAIM in line["message"]
    operators.settle()
    assert PASSWORD not in namespace.names("secrets")
    assert namespace.get("statefulsets", "one-db") is None
    # Its documented mend: without the claim there is nothing that a new password would not open.
    namespace.delete("persistentvolumeclaims", CLAIM)
    eventually(lambda: namespace.is_ready("one"), 60)
    assert PASSWORD in namespace.names("secrets")


def test_an_operator_that_died_between_claim_and_password_makes_the_password(
    namespace: Namespace, operators: Operators
) -> None:
    # What the death leaves: a claim of this very system, and nothing else.
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/secrets": "0"}}}
    namespace.create("resourcequotas", quota)
    eventually(lambda: namespace.get("resourcequotas", "none").get("status", {}).get("hard"))
    operators.start_leading()
    namespace.create("tradingsystems", _system())
    eventually(lambda: CLAIM in namespace.names("persistentvolumeclaims"))
    operators.running[-1].kill()
    namespace.delete("resourcequotas", "none")
    with suppress_missing():
        namespace.delete("leases", "trading-operator")
    operators.start_leading()
    eventually(lambda: namespace.is_ready("one"), 60)


def _start(
    namespace: Namespace,
    operators: Operators,
    storage_class: str | None = None,
    **spec: Any,
) -> None:
    operators.start_leading()
    namespace.create("tradingsystems", _system(storage_class, **spec))
    eventually(lambda: namespace.is_ready("one"), 60)
    operators.settle()


def _system(storage_class: str | None = None, **spec: Any) -> dict[str, Any]:
    mounts = [
        {"name": volume["name"], "mountPath": "/models"} for volume in spec.get("volumes", ())
    ]
    store = build_datastore("db")
    if storage_class is not None:
        store["storage"]["storageClassName"] = storage_class
    return build_system("one", [build_service("api", volumes=mounts)], [store], **spec)


def _sized(size: str, storage_class: str | None = None) -> dict[str, Any]:
    storage = {"size": size} | ({"storageClassName": storage_class} if storage_class else {})
    return {"spec": {"datastores": [{**build_datastore("db"), "storage": storage}]}}


def _make_class(client: KubeClient, name: str, like: str, **more: Any) -> None:
    known = client.request("GET", f"{CLASSES}/{like}")
    body = {key: value for key, value in known.items() if key != "metadata"}
    client.request("POST", CLASSES, {**body, "metadata": {"name": name}, **more})


def _foreign_claim() -> dict[str, Any]:
    return {
        "metadata": {"name": CLAIM},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def _line(namespace: Namespace, reason: str) -> dict[str, Any]:
    status = namespace.get("tradingsystems", "one").get("status", {})
    lines = (line for line in status.get("components", ()) if line["reason"] == reason)
    return next(lines, {})


def _is_owned_by(namespace: Namespace, claim: str, owners: list[str]) -> bool:
    return _owners(namespace, claim) == owners


def _owners(namespace: Namespace, claim: str) -> list[str]:
    metadata = namespace.get("persistentvolumeclaims", claim)["metadata"]
    return [each["kind"] for each in metadata.get("ownerReferences") or ()]


def _size(namespace: Namespace) -> str:
    claim = namespace.get("persistentvolumeclaims", CLAIM)
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _template_size(namespace: Namespace) -> str:
    live = namespace.get("statefulsets", "one-db")
    if live is None:
        return ""
    (template,) = live["spec"]["volumeClaimTemplates"]
    return str(template["spec"]["resources"]["requests"]["storage"])


def _bound(namespace: Namespace) -> bool:
    return bool(namespace.get("persistentvolumeclaims", CLAIM)["status"]["phase"] == "Bound")


def _pods(namespace: Namespace) -> dict[str, str]:
    pods = (pod["metadata"] for pod in namespace.list("pods"))
    return {pod["name"]: pod["uid"] for pod in pods}
