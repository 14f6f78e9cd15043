"""Labels, owners, annotations, revisions and status that somebody else wrote."""

import copy
from itertools import product

from integration.attacks import (
    Attack,
    Manifest,
    labels_of,
    notes_of_theirs,
    one,
    owner_reference,
    pod_of_theirs,
    revision_of_theirs,
    secret_of_theirs,
    store,
    workload_of_theirs,
)
from integration.kube_client import Namespace, eventually
from integration.systems import build_service, build_system

VERSION = "app.kubernetes.io/version"


def _forge_owned_notes(space: Namespace) -> None:
    reference = owner_reference(space, "f-notes", controller=False)
    metadata = {"labels": labels_of("f-notes"), "ownerReferences": [reference]}
    space.create(*notes_of_theirs("f-notes-theirs", **metadata))


def _forge_pod(space: Namespace) -> None:
    metadata = {
        "labels": labels_of("f-pod", "db"),
        "annotations": {"tradingoperator.io/revision": "forged"},
    }
    space.create(*pod_of_theirs("f-pod-theirs", **metadata))


def _forge_revisions(space: Namespace) -> None:
    """Write a newest revision with the digests of the one in force and pods of its own."""
    selector = "app.kubernetes.io/part-of=f-revision"
    (live,) = space.list("controllerrevisions", selector)
    for at, (change, owned) in enumerate(product((_on_the_host, _with_a_token), (True, False))):
        data = copy.deepcopy(live["data"])
        change(data["components"]["api"]["template"]["spec"])
        reference = owner_reference(space, "f-revision", controller=True)
        metadata = {
            "labels": labels_of("f-revision"),
            "ownerReferences": [reference] if owned else [],
        }
        space.create(*revision_of_theirs(f"f-revision-theirs{at}", data, **metadata))
    # A change elsewhere lets the operator look at all of them.
    space.merge("deployments", "f-revision-api", {"metadata": {"labels": {VERSION: "forged"}}})


def _on_the_host(spec: Manifest) -> None:
    spec["hostNetwork"] = True
    spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}})


def _with_a_token(spec: Manifest) -> None:
    spec["serviceAccountName"] = "trading-operator"
    spec["automountServiceAccountToken"] = True


def _pods_are_its_own(space: Namespace) -> None:
    eventually(lambda: space.is_ready("f-revision"))
    spec = space.get("deployments", "f-revision-api")["spec"]["template"]["spec"]
    assert not {"hostNetwork", "serviceAccountName"} & spec.keys()
    assert spec["automountServiceAccountToken"] is False
    assert not [each for each in spec["volumes"] if "hostPath" in each]


def _forge_annotations(space: Namespace) -> None:
    giant = "9" * 5000
    forged = {
        "tradingoperator.io/rendering": giant,
        "tradingoperator.io/resume-replicas": giant,
        "tradingoperator.io/revision": "-1",
        "tradingoperator.io/size": "-1e999999",
    }
    patch = {"metadata": {"annotations": forged}}
    space.merge("statefulsets", "f-annotations-db", patch)
    space.merge("services", "f-annotations-db", patch)
    for size in (giant, "-5Gi", "9999999999999999Pi", "0"):
        forged["tradingoperator.io/size"] = size
        space.merge("persistentvolumeclaims", "data-f-annotations-db-0", patch)


def _size_and_count_stay(space: Namespace) -> None:
    eventually(lambda: space.is_ready("f-annotations"))
    claim = space.get("persistentvolumeclaims", "data-f-annotations-db-0")["spec"]
    assert claim["resources"]["requests"]["storage"] == "1Gi"
    spec = space.get("statefulsets", "f-annotations-db")["spec"]
    assert spec["replicas"] == 1
    (template,) = spec["volumeClaimTemplates"]
    assert template["spec"]["resources"]["requests"]["storage"] == "1Gi"


def _forge_count(space: Namespace) -> None:
    space.merge("tradingsystems", "f-count", {"spec": {"hibernated": True}})
    eventually(lambda: space.get("deployments", "f-count-api")["spec"]["replicas"] == 0)
    for count in ("-3", "²", "9" * 5000, "999999"):
        forged = {"tradingoperator.io/resume-replicas": count}
        space.merge("deployments", "f-count-api", {"metadata": {"annotations": forged}})
    space.merge("tradingsystems", "f-count", {"spec": {"hibernated": False}})


def _wakes_within_its_bounds(space: Namespace) -> None:
    eventually(lambda: space.is_ready("f-count"))
    assert 1 <= space.get("deployments", "f-count-api")["spec"]["replicas"] <= 3


def _forge_status(space: Namespace) -> None:
    live = space.get("tradingsystems", "f-status")
    since = "9999-12-31T23:59:59Z"
    line = {**live["status"]["components"][0], "waitingSince": since, "state": "Ready", "ready": 7}
    told = {**live["status"], "componentsReady": "99/99", "components": [line]}
    path = f"{space.path('tradingsystems', 'f-status')}/status"
    space.client.request("PATCH", path, {"status": told}, "application/merge-patch+json")


def _status_is_the_operators(space: Namespace) -> None:
    status = eventually(lambda: _honest_status(space))
    assert [line["name"] for line in status["components"]] == ["api", "web"]


def _honest_status(space: Namespace) -> Manifest:
    status = space.get("tradingsystems", "f-status")["status"]
    return dict(status) if status["componentsReady"] == "2/2" else {}


def _forge_finalizer(space: Namespace) -> None:
    patch = {"metadata": {"finalizers": ["example.com/theirs"]}}
    space.merge("tradingsystems", "f-finalizer", patch)
    space.delete("tradingsystems", "f-finalizer")


def _finalizer_is_left_to_its_owner(space: Namespace) -> None:
    system = space.get("tradingsystems", "f-finalizer")
    assert system["metadata"]["finalizers"] == ["example.com/theirs"]
    path, patch = "tradingsystems", {"metadata": {"finalizers": None}}
    space.merge(path, "f-finalizer", patch)
    eventually(lambda: space.get("deployments", "f-finalizer-api") is None)


FORGERIES = [
    Attack(
        "somebody's ConfigMap names the system as one of its owners, with our labels",
        (one("f-notes"),),
        forge=_forge_owned_notes,
        proof=lambda space: _is_there(space, "configmaps", "f-notes-theirs"),
    ),
    Attack(
        "somebody's ConfigMap carries our labels",
        (one("f-labels"),),
        theirs=(notes_of_theirs("f-labels-theirs", labels=labels_of("f-labels", "api")),),
    ),
    Attack(
        "somebody's StatefulSet carries our labels and the name of a former component",
        (one("f-workload"),),
        theirs=(
            workload_of_theirs(
                "statefulsets", "f-workload-old", labels=labels_of("f-workload", "old")
            ),
        ),
    ),
    Attack(
        "somebody's pod carries a datastore's labels and an old revision",
        (store("f-pod"),),
        forge=_forge_pod,
        proof=lambda space: _is_there(space, "pods", "f-pod-theirs"),
    ),
    Attack(
        "annotations that the operator reads are giant, negative and nonsense",
        (store("f-annotations"),),
        forge=_forge_annotations,
        proof=_size_and_count_stay,
    ),
    Attack(
        "the stored rendering is forged: pods on the host's network, pods with our token",
        (one("f-revision"),),
        forge=_forge_revisions,
        proof=_pods_are_its_own,
    ),
    Attack(
        "the count to wake up with is giant, negative and nonsense",
        (one("f-count", autoscaling={"max": 3, "cpu": 70}, resources={"requests": {"cpu": "1m"}}),),
        forge=_forge_count,
        proof=_wakes_within_its_bounds,
    ),
    Attack(
        "the status is forged",
        (
            build_system(
                "f-status",
                [
                    build_service("api"),
                    build_service("web", dependsOn=[{"name": "api", "required": False}]),
                ],
            ),
        ),
        forge=_forge_status,
        proof=_status_is_the_operators,
    ),
    Attack(
        "a finalizer of somebody else keeps the system",
        (one("f-finalizer"),),
        forge=_forge_finalizer,
        proof=_finalizer_is_left_to_its_owner,
    ),
    Attack(
        "a Secret that carries the system's labels is there before its database",
        (store("f-password"),),
        theirs=(secret_of_theirs("f-password-db-credentials", labels_of("f-password")),),
    ),
]


def _is_there(space: Namespace, kind: str, name: str) -> None:
    live = space.get(kind, name)
    assert live is not None
    assert "deletionTimestamp" not in live["metadata"]
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert "trading-operator" not in managers
