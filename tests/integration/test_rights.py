"""The chart grants what the operator asks for, and nothing else: by the API server's audit log."""

import copy
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.api import ClusterHandle
from integration.audit import rights
from integration.backup_life import back_up, restore
from integration.backups import OPERATOR
from integration.flaky_proxy import FlakyProxy, build_server_context
from integration.full_system import (
    BROKER,
    NOTES,
    PRIORITY_CLASS,
    build_full_system,
)
from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators, grant_rights, render_rights, write_kubeconfig
from integration.systems import build_service, build_system
from integration.trainings import OPERATOR as TRAINER
from integration.trainings import train

Manifest = dict[str, Any]
Right = tuple[str, str]

# Never asked for: the API server itself looks at this one, when an ownerReference blocks the
# deletion of its owner (admission plugin OwnerReferencesPermissionEnforcement).
ASKED_BY_THE_SERVER = {
    ("tradingoperator.io/tradingsystems/finalizers", "update"),
    ("tradingoperator.io/backups/finalizers", "update"),
    ("tradingoperator.io/restores/finalizers", "update"),
    ("tradingoperator.io/modeltrainingjobs/finalizers", "update"),
}
REVISIONS_KEPT = 10
LIFE = "life"


@pytest.mark.acceptance("B32", "C37")
def test_over_a_whole_life_the_rights_used_are_the_rights_granted(
    namespace: Namespace, operators: Operators, control_plane: ClusterHandle, tmp_path: Path
) -> None:
    replica = operators.start_leading(**OPERATOR, **TRAINER)
    _come_up(namespace)
    children = list(_children(namespace))
    back_up(namespace, LIFE)
    restore(namespace)
    train(namespace)
    _drift(namespace)
    _change(namespace)
    _grow_and_sleep(namespace)
    _shrink(namespace)
    _pile_up_revisions(namespace)
    _delete(namespace)
    _meet_objects_of_others(namespace, children)
    operators.settle()
    assert replica.stop() == 0
    _start_beside_an_older_server(namespace, operators, tmp_path)

    granted = rights(_rules(render_rights(namespace.name, control_plane.bin_dir / "helm")))
    requests = operators.audit.requests()
    used = {request.right for request in requests}
    assert [request for request in requests if request.code == 403] == []
    assert used <= granted, sorted(used - granted)
    assert granted - used == ASKED_BY_THE_SERVER, sorted(granted - used)


def _come_up(space: Namespace) -> None:
    space.client.apply("apis/scheduling.k8s.io/v1/priorityclasses", _priority_class())
    space.create("secrets", BROKER)
    space.create("configmaps", NOTES)
    space.create("tradingsystems", _life(LIFE))
    eventually(lambda: space.is_ready(LIFE), 120)


def _priority_class() -> Manifest:
    return {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", **PRIORITY_CLASS}


def _life(name: str) -> Manifest:
    system = build_full_system(name)
    # No node pretends to have a GPU.
    services = [each for each in system["spec"]["services"] if each["name"] != "trainer"]
    del system["spec"]["rollout"]["backupBefore"]  # nobody takes one
    system["spec"]["services"] = services
    return system


def _meet_objects_of_others(space: Namespace, children: list[tuple[str, Manifest]]) -> None:
    """For each kind, let a system meet objects of that kind that are somebody else's."""
    found = defaultdict(list)
    for path, child in children:
        part = child["metadata"]["labels"].get("app.kubernetes.io/component")
        if part in {None, "worker", "strategy"} and child["kind"] != "Secret":
            found[path].append(child)
    names = {f"kind{number}": path for number, path in enumerate(found)}
    for name, path in names.items():
        for child in found[path]:
            renamed = json.loads(json.dumps(child).replace(LIFE, name))
            space.client.request("POST", path, _as_somebody_elses(renamed))
        space.create("tradingsystems", _without_databases(name))
    # A stored rendering is named by what is in it: that of another system has another name.
    meeting = [name for name, path in names.items() if not path.endswith("controllerrevisions")]
    for name in meeting:
        eventually(partial(_is_stalled, space, name), 60)
    for name in names:
        space.delete("tradingsystems", name)


def _is_stalled(space: Namespace, name: str) -> bool:
    return bool(space.condition(name, "Stalled").get("status") == "True")


def _without_databases(name: str) -> Manifest:
    system = _life(name)
    services = [{**each, "dependsOn": []} for each in system["spec"]["services"]]
    return {**system, "spec": {**system["spec"], "datastores": [], "services": services}}


def _as_somebody_elses(copied: Manifest) -> Manifest:
    spec = copy.deepcopy(copied.get("spec", {}))
    for given in ("clusterIP", "clusterIPs", "volumeName", "healthCheckNodePort"):
        spec.pop(given, None)
    for port in spec.get("ports", ()) if copied["kind"] == "Service" else ():
        port.pop("nodePort", None)
    if "replicas" in spec:
        spec["replicas"] = 0
    rest = {key: value for key, value in copied.items() if key not in {"status", "metadata"}}
    name = {"name": copied["metadata"]["name"]}
    return {**rest, "metadata": name} | ({"spec": spec} if spec else {})


def _children(space: Namespace) -> Iterator[tuple[str, Manifest]]:
    """Yield the children of the system, whatever kinds they are of, with the path of their kind."""
    for group in ("", *_groups(space)):
        root = f"apis/{group}" if group else "api/v1"
        for resource in space.client.request("GET", root)["resources"]:
            wanted = {"list", "create", "patch"} <= set(resource["verbs"])
            if not (resource["namespaced"] and wanted) or resource["name"] in _MADE_BY_OTHERS:
                continue
            path = f"{root}/namespaces/{space.name}/{resource['name']}"
            selector = f"app.kubernetes.io/part-of={LIFE}"
            listed = space.client.request("GET", path, labelSelector=selector)
            kind = {"apiVersion": group or "v1", "kind": resource["kind"]}
            for item in listed["items"]:
                if _is_made_by_us(item):
                    yield path, {**kind, **item}


def _is_made_by_us(item: Manifest) -> bool:
    if "tradingoperator.io/owner-kind" in item["metadata"].get("labels", {}):
        return False  # of a Backup, not of the system
    # A StatefulSet keeps revisions of its own, with the labels of its template.
    owners = item["metadata"].get("ownerReferences", ())
    return all(owner["kind"] not in {"StatefulSet", "Deployment"} for owner in owners)


# By the cluster's own controllers, with the labels of the template.
_MADE_BY_OTHERS = {"pods", "replicasets", "endpoints", "endpointslices"}


def _groups(space: Namespace) -> list[str]:
    served = space.client.request("GET", "apis")["groups"]
    return [group["preferredVersion"]["groupVersion"] for group in served]


def _drift(space: Namespace) -> None:
    """Take a label off every child that may be changed, and delete one."""
    label = "app.kubernetes.io/instance"
    drifting = [
        (f"{path}/{child['metadata']['name']}", child)
        for path, child in _children(space)
        if child["kind"] != "Secret"  # a Secret is never changed
    ]
    merge = "application/merge-patch+json"
    for path, _ in drifting:
        space.client.request("PATCH", path, {"metadata": {"labels": {label: None}}}, merge)
    for path, child in drifting:
        if child["kind"] not in {"PersistentVolumeClaim", "ControllerRevision"}:
            eventually(partial(_has_label, space, path, label))
    before = space.get("services", "life-cache")["metadata"]["uid"]
    space.delete("services", "life-cache")
    eventually(lambda: _uid(space, "services", "life-cache") not in {None, before})


def _has_label(space: Namespace, path: str, label: str) -> bool:
    return label in space.client.request("GET", path)["metadata"]["labels"]


def _uid(space: Namespace, kind: str, name: str) -> str | None:
    live = space.get(kind, name)
    return None if live is None else live["metadata"]["uid"]


def _change(space: Namespace) -> None:
    """Roll a single writer, whose pod the operator replaces, and tell all pods a new state."""
    system = _life(LIFE)
    system["spec"]["services"][1]["image"] = "registry.example/strategy:2"
    system["spec"]["configs"][0]["files"]["a.yaml"] = "a: 2"
    system["spec"]["tradingState"] = "Halted"
    space.apply("tradingsystems", system)
    eventually(lambda: space.is_ready(LIFE), 120)


def _grow_and_sleep(space: Namespace) -> None:
    """Grow a volume, and hibernate twice: the same events come again."""
    stores = _life(LIFE)["spec"]["datastores"]
    stores[1]["storage"]["size"] = "2Gi"
    space.merge("tradingsystems", LIFE, {"spec": {"datastores": stores}})
    for hibernated in (True, False, True, False):
        space.merge("tradingsystems", LIFE, {"spec": {"hibernated": hibernated}})
        if hibernated:
            eventually(lambda: not space.list("pods", f"app.kubernetes.io/part-of={LIFE}"), 60)
        else:
            eventually(lambda: space.is_ready(LIFE), 120)


def _shrink(space: Namespace) -> None:
    """Take everything out of the spec but one service."""
    spec = {
        "services": [build_service("rest", replicas=0)],
        **{field: [] for field in ("datastores", "configs", "volumes", "env")},
    }
    space.merge("tradingsystems", LIFE, {"spec": spec})
    ours = f"app.kubernetes.io/part-of={LIFE}"
    eventually(lambda: space.names("deployments", ours) == {"life-rest"}, 60)
    eventually(lambda: not space.names("statefulsets", ours))
    eventually(lambda: len(space.names("networkpolicies", ours)) == 2)


def _pile_up_revisions(space: Namespace) -> None:
    """Change often: old stored renderings go."""
    for number in range(REVISIONS_KEPT + 4):
        image = f"registry.example/rest:{number}"
        services = [build_service("rest", replicas=0, image=image)]
        space.merge("tradingsystems", LIFE, {"spec": {"services": services}})
        eventually(partial(_runs, space, image))


def _runs(space: Namespace, image: str) -> bool:
    template = space.get("deployments", "life-rest")["spec"]["template"]
    return bool(template["spec"]["containers"][0]["image"] == image) and space.is_ready(LIFE)


def _delete(space: Namespace) -> None:
    """Delete a system with a single writer: it stops in order. Then make it anew, and that too.

    What it had stored is somebody else's by then.
    """
    system = build_system("ending", [build_service("last", workload="SingleWriter")])
    space.create("tradingsystems", system)
    eventually(lambda: space.is_ready("ending"))
    listed = space.list("controllerrevisions", "app.kubernetes.io/part-of=ending")
    (stored,) = filter(_is_made_by_us, listed)
    _end(space, "ending")
    eventually(lambda: space.get("controllerrevisions", stored["metadata"]["name"]) is None)
    space.create(
        "controllerrevisions", _as_somebody_elses({**stored, "kind": "ControllerRevision"})
    )
    space.create("tradingsystems", system)
    eventually(lambda: _is_stalled(space, "ending"))
    _end(space, "ending")
    _end(space, LIFE)


def _end(space: Namespace, name: str) -> None:
    space.delete("tradingsystems", name)
    eventually(partial(_is_gone, space, name))


def _is_gone(space: Namespace, name: str) -> bool:
    return space.get("tradingsystems", name) is None


def _start_beside_an_older_server(space: Namespace, operators: Operators, folder: Path) -> None:
    """Start an operator at a server that streams no lists, as those before 1.34: it pages them."""
    proxy = FlakyProxy(space.client.server, build_server_context(folder))
    proxy.rewritten = {b"resourceVersionMatch=NotOlderThan": b"resourceVersionMatch=NotOlderThin"}
    with proxy.running():
        kubeconfig = write_kubeconfig(space, folder / "older.kubeconfig", proxy.url)
        config = yaml.safe_load(kubeconfig.read_text())
        # The proxy shows a certificate of its own.
        config["clusters"][0]["cluster"] = {"server": proxy.url, "insecure-skip-tls-verify": True}
        kubeconfig.write_text(yaml.safe_dump(config))
        replica = operators.start(kubeconfig)
        eventually(replica.is_ready)
        replica.kill()


def _rules(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    for manifest in manifests:
        metadata = manifest["metadata"]
        # Those of people are aggregated into the cluster's own roles.
        aggregated = any("aggregate-to" in label for label in metadata.get("labels", {}))
        if manifest["kind"] in {"Role", "ClusterRole"} and not aggregated:
            yield from manifest["rules"]


def test_in_namespaced_scope_no_secret_of_another_namespace_can_be_read(
    namespace: Namespace, control_plane: ClusterHandle
) -> None:
    manifests = render_rights(namespace.name, control_plane.bin_dir / "helm")
    wide = [each for each in manifests if each["kind"] == "ClusterRole"]
    listed = {("storage.k8s.io/storageclasses", "list"), ("/nodes", "list")}
    assert rights(rule for rule in _rules(wide)) == listed
    without = render_rights(
        namespace.name,
        control_plane.bin_dir / "helm",
        "--set=rbac.storageClasses=false,rbac.nodes=false,rbac.aggregatedRoles=false",
    )
    assert {each["kind"] for each in without} == {"ServiceAccount", "Role", "RoleBinding"}
    assert {each["metadata"]["namespace"] for each in without} == {namespace.name}


def test_without_the_read_of_storage_classes_a_wrong_one_shows_as_a_pending_claim(
    namespace: Namespace, operators: Operators, control_plane: ClusterHandle
) -> None:
    grant_rights(
        namespace,
        control_plane.bin_dir / "helm",
        "--set=rbac.storageClasses=false,rbac.nodes=false",
    )
    _revoke_cluster_role(namespace)
    replica = operators.start_leading()
    store = {"name": "db", "engine": "Redis", "storage": {"size": "1Gi"}}
    namespace.create("tradingsystems", build_system("good", [build_service("api")], [store]))
    wrong = {**store, "storage": {"size": "1Gi", "storageClassName": "no-such-class"}}
    namespace.create("tradingsystems", build_system("wrong", [], [wrong]))
    eventually(lambda: namespace.is_ready("good"))
    claim = eventually(lambda: namespace.get("persistentvolumeclaims", "data-wrong-db-0"))
    assert claim["status"]["phase"] == "Pending"
    told = eventually(lambda: namespace.condition("wrong", "Stalled").get("reason"))
    assert told != "StorageClassNotFound"
    assert "StorageClasses may not be read" in replica.log.read_text()


def _revoke_cluster_role(space: Namespace) -> None:
    path = "apis/rbac.authorization.k8s.io/v1/clusterroles"
    for item in space.client.request("GET", path)["items"]:
        if item["metadata"]["name"].startswith(f"{space.name}-"):
            space.client.request("DELETE", f"{path}/{item['metadata']['name']}")


def test_cluster_scope_reads_everywhere_and_needs_no_more_than_its_role(
    namespace: Namespace, operators: Operators, control_plane: ClusterHandle, tmp_path: Path
) -> None:
    helm = control_plane.bin_dir / "helm"
    role = _cluster_role(render_rights(namespace.name, helm, "--set=rbac.scope=cluster"))
    # Elsewhere it only reads here: tests beside this one have operators of their own.
    reading = [
        {**rule, "verbs": sorted({"get", "list", "watch"} & set(rule["verbs"]))}
        for rule in role["rules"]
        if {"get", "list", "watch"} & set(rule["verbs"])
    ]
    namespace.client.apply(
        "apis/rbac.authorization.k8s.io/v1/clusterroles", {**role, "rules": reading}
    )
    operators.start_leading(WATCH_NAMESPACES="")
    namespace.create("tradingsystems", build_system("near", [build_service("api")]))
    eventually(lambda: namespace.is_ready("near"), 60)
    requests = operators.audit.requests()
    assert {r.right for r in requests} <= rights(role["rules"]) | _of_leases()
    assert not [r for r in requests if r.code == 403 and r.namespace in {"", namespace.name}]
    assert {r.namespace for r in requests if r.verb in {"list", "watch"}} == {""}


def _of_leases() -> set[Right]:
    return {("coordination.k8s.io/leases", verb) for verb in ("create", "get", "update")}


def _cluster_role(manifests: Iterable[Manifest]) -> Manifest:
    (role,) = (
        each for each in manifests if each["kind"] == "ClusterRole" and any(rights(_rules([each])))
    )
    return role
