"""Whatever somebody changes of any child, field by field, is put back; what is theirs stays."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system

FOREIGN = {"foreign.example/note": "kept"}
CONFIG = "config"
REVISION = "revision"

# What somebody changes, removes (None) and empties of each child, as a merge patch.
DRIFTS: dict[tuple[str, str], Any] = {
    ("deployments", "one-api"): {
        "spec": {
            "replicas": 3,
            "strategy": {"rollingUpdate": {"maxUnavailable": 1}},
            "revisionHistoryLimit": 9,
            "template": {
                "metadata": {"annotations": {"tradingoperator.io/revision": None}},
                "spec": {
                    "automountServiceAccountToken": True,
                    "terminationGracePeriodSeconds": 1,
                    "securityContext": {"fsGroup": None},
                },
            },
        }
    },
    ("statefulsets", "one-db"): {
        "spec": {
            "replicas": 0,
            "updateStrategy": {"type": "RollingUpdate"},
            # Its controller makes the StatefulSet own the volume's claim.
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
            "template": {"metadata": {"labels": {"app.kubernetes.io/name": None}}},
        }
    },
    ("services", "one-api"): {
        "spec": {
            "selector": {"nobody": "matches"},
            "sessionAffinity": "ClientIP",
            "ports": [{"name": "http", "port": 1, "targetPort": 1}],
        }
    },
    ("networkpolicies", "one-api"): {
        "spec": {
            "podSelector": {"matchLabels": {"nobody": "matches"}},
            "ingress": [{}],
            "egress": None,
            "policyTypes": ["Ingress"],
        }
    },
    ("networkpolicies", "one.default-deny"): {"spec": {"egress": [{}]}},
    ("horizontalpodautoscalers", "one-scaled"): {
        "spec": {"minReplicas": 1, "maxReplicas": 9, "metrics": []}
    },
    ("poddisruptionbudgets", "one-api"): {"spec": {"maxUnavailable": None, "minAvailable": "100%"}},
    ("ingresses", "one-api"): {
        "spec": {"rules": [{"host": "evil.example"}], "ingressClassName": None}
    },
    ("configmaps", CONFIG): {},
    ("controllerrevisions", REVISION): {"revision": 99},
    ("persistentvolumeclaims", "one-models"): {},
    ("persistentvolumeclaims", "data-one-db-0"): {},
}
UNDELETED = {"persistentvolumeclaims"}  # in use, a claim only says that it goes
_LABELS = "app.kubernetes.io/part-of=one"


@pytest.fixture
def one(namespace: Namespace, operators: Operators) -> Namespace:
    """A namespace with a Ready system `one` that has a child of every kind."""
    operators.start_leading()
    service = build_service(
        "api",
        configs=[{"name": "market", "mountPath": "/etc/market"}],
        volumes=[{"name": "models", "mountPath": "/models"}],
        disruptionBudget={"maxUnavailable": 1},
        ingress={"className": "nginx", "hosts": [{"host": "api.example"}]},
        replicas=2,
    )
    scaled = build_service(
        "scaled",
        autoscaling={"min": 2, "max": 4, "cpu": 70},
        resources={"requests": {"cpu": "10m"}},
    )
    system = build_system(
        "one",
        [service, scaled],
        [build_datastore("db")],
        network={},
        configs=[{"name": "market", "files": {"a.json": "{}"}}],
        volumes=[{"name": "models", "size": "1Gi"}],
    )
    namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready("one"), 60)
    operators.settle(2.0)
    return namespace


def test_what_somebody_changes_of_any_child_is_put_back_and_what_is_theirs_stays(
    one: Namespace, operators: Operators
) -> None:
    before = {key: one.get(key[0], _name(one, *key)) for key in DRIFTS}
    for (kind, name), drift in DRIFTS.items():
        patch = {**drift, "metadata": {"annotations": FOREIGN}}
        one.merge(kind, _name(one, kind, name), patch)
    _assert_put_back(one, before)
    for kind, name in DRIFTS:
        annotations = one.get(kind, _name(one, kind, name))["metadata"]["annotations"]
        assert annotations.items() >= FOREIGN.items()
    eventually(lambda: one.is_ready("one"), 60)
    settled = operators.settle(2.0)
    assert operators.settle(2.0) == settled


def test_a_child_that_was_taken_from_its_system_comes_back_to_it(
    one: Namespace, operators: Operators
) -> None:
    before = {key: one.get(key[0], _name(one, *key)) for key in DRIFTS}
    for bare in ("labels", "ownerReferences"):
        for (kind, _), live in before.items():
            if live["metadata"].get("ownerReferences"):
                one.merge(kind, live["metadata"]["name"], {"metadata": _without(live, bare)})
        _assert_put_back(one, before)
    for (kind, _), live in before.items():
        assert one.get(kind, live["metadata"]["name"])["metadata"]["uid"] == live["metadata"]["uid"]


def test_a_child_that_was_deleted_is_made_again(one: Namespace, operators: Operators) -> None:
    before = {key: one.get(key[0], _name(one, *key)) for key in DRIFTS if key[0] not in UNDELETED}
    for (kind, _), live in before.items():
        one.delete(kind, live["metadata"]["name"])
    _assert_put_back(one, before)
    for (kind, _), live in before.items():
        assert one.get(kind, live["metadata"]["name"])["metadata"]["uid"] != live["metadata"]["uid"]
    eventually(lambda: one.is_ready("one"), 60)


def _name(namespace: Namespace, kind: str, name: str) -> str:
    """Return the name of an object; some are named by their content."""
    if name == CONFIG:
        names = namespace.names(kind, _LABELS)
        return next(each for each in names if each.startswith("one-market-"))
    if name == REVISION:
        (only,) = namespace.names(kind, f"{_LABELS},!app.kubernetes.io/component")
        return str(only)
    return name


def _assert_put_back(namespace: Namespace, before: dict[tuple[str, str], Any]) -> None:
    end = time.monotonic() + 30
    while left := list(_left(namespace, before)):
        assert time.monotonic() < end, "\n".join(left)
        time.sleep(0.2)


def _left(namespace: Namespace, before: dict[tuple[str, str], Any]) -> Iterator[str]:
    for (kind, _), wanted in before.items():
        name = wanted["metadata"]["name"]
        for difference in _differences(namespace.get(kind, name), wanted):
            yield f"{kind} {name}: {difference}"


def _differences(live: Any, wanted: Any) -> list[str]:
    """Return what of an object is not as it was; foreign additions and counters do not matter."""
    if live is None:
        return ["it is gone"]
    found = []
    for part in ("spec", "data", "immutable"):
        if _settable(live.get(part)) != _settable(wanted.get(part)):
            found.append(f"{part}: {live.get(part)} is not {wanted.get(part)}")
    for part in ("labels", "annotations"):
        missing = _stable(wanted, part).items() - _stable(live, part).items()
        found += [f"{part}: {missing}"] if missing else []
    owners = [each["metadata"].get("ownerReferences", []) for each in (live, wanted)]
    return found + ([f"owners: {owners}"] if owners[0] != owners[1] else [])


def _settable(part: Any) -> Any:
    # Given by the server, another one to each new object.
    if isinstance(part, dict):
        return {key: each for key, each in part.items() if key not in ("clusterIP", "clusterIPs")}
    return part


def _without(manifest: Any, part: str) -> dict[str, Any]:
    """Return the metadata of a patch that takes the labels or the owner from an object."""
    if part == "ownerReferences":
        return {
            part: None,
            "annotations": dict.fromkeys(manifest["metadata"].get("annotations", {})),
        }
    return {part: dict.fromkeys(manifest["metadata"][part])}


def _stable(manifest: Any, part: str) -> dict[str, str]:
    # Of controllers that number what they did.
    own = manifest["metadata"].get(part) or {}
    return {key: each for key, each in own.items() if "tradingoperator.io" in key or "app." in key}
