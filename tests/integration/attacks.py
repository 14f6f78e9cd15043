"""Resources that try to make the operator act beyond its namespace or its rights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integration.kube_client import Namespace
from integration.systems import build_datastore, build_service, build_system
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.config_map import config_map_name
from trading_operator.manifests.metadata import Owner

Manifest = dict[str, Any]
Object = tuple[str, Manifest]  # path of its kind, and what it is
Forgery = Callable[[Namespace], None]
Proof = Callable[[Namespace], None]

CONFLICT = "NameConflict"


@dataclass(frozen=True)
class Attack:
    """What somebody tries, and how it must end.

    `refused` is what the API server answers to a system; `stalled` the reason under which the
    system tells that a person must act. With neither every system becomes Ready.
    """

    title: str
    systems: tuple[Manifest, ...]
    refused: str = ""
    stalled: str = ""
    told: str = ""  # in the message of a stalled system
    theirs: tuple[Object, ...] = ()  # there before, and never touched
    forge: Forgery | None = None  # done once everything has settled
    proof: Proof | None = None
    validation: str = "Strict"  # how the API server takes unknown fields


def service_of_theirs(name: str) -> Object:
    """Return a Service of somebody else."""
    spec = {"ports": [{"port": 80}], "selector": {"app": "theirs"}}
    return "services", {"metadata": {"name": name}, "spec": spec}


def secret_of_theirs(name: str, labels: Mapping[str, str] | None = None) -> Object:
    """Return a Secret of somebody else."""
    metadata = {"name": name, "labels": dict(labels or {})}
    return "secrets", {"metadata": metadata, "stringData": {"password": "theirs", "username": "x"}}


def claim_of_theirs(name: str) -> Object:
    """Return a volume claim of somebody else."""
    requests = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": requests}
    return "persistentvolumeclaims", {"metadata": {"name": name}, "spec": spec}


def notes_of_theirs(name: str, **metadata: Any) -> Object:
    """Return a ConfigMap of somebody else."""
    return "configmaps", {"metadata": {"name": name, **metadata}, "data": {"note": "theirs"}}


def workload_of_theirs(kind: str, name: str, **metadata: Any) -> Object:
    """Return a workload of somebody else, without pods."""
    labels = {"app": f"theirs-{name}"}
    container = {"name": "main", "image": "registry.example/theirs:1"}
    spec: Manifest = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    return kind, {"metadata": {"name": name, **metadata}, "spec": spec}


def revision_of_theirs(name: str, data: Manifest, **metadata: Any) -> Object:
    """Return a ControllerRevision of somebody else, which claims to be the newest."""
    revision = {"metadata": {"name": name, **metadata}, "revision": 999, "data": data}
    return "controllerrevisions", revision


def policy_of_theirs(name: str) -> Object:
    """Return a NetworkPolicy of somebody else."""
    return "networkpolicies", {"metadata": {"name": name}, "spec": {"podSelector": {}}}


def pod_of_theirs(name: str, **metadata: Any) -> Object:
    """Return a pod of somebody else that the restricted profile admits."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    image = "registry.example/theirs:1"
    container = {"name": "main", "image": image, "securityContext": security}
    return "pods", {"metadata": {"name": name, **metadata}, "spec": {"containers": [container]}}


def labels_of(system: str, component: str | None = None) -> dict[str, str]:
    """Return the labels by which the operator knows its own."""
    labels = {
        "app.kubernetes.io/part-of": system,
        "app.kubernetes.io/instance": system,
        "app.kubernetes.io/managed-by": "trading-operator",
    }
    return labels | ({"app.kubernetes.io/component": component} if component else {})


def owner_reference(space: Namespace, system: str, controller: bool) -> Manifest:
    """Return a reference to a system that is there."""
    live = space.get("tradingsystems", system)
    reference = {key: live[key] for key in ("apiVersion", "kind")}
    uid = live["metadata"]["uid"]
    return {**reference, "name": system, "uid": uid, "controller": controller}


def one(name: str, **service: Any) -> Manifest:
    """Return a system of one service."""
    return build_system(name, [build_service("api", **service)])


def store(name: str, component: str = "db", engine: str = "PostgreSQL", **fields: Any) -> Manifest:
    """Return a system of one datastore."""
    return build_system(name, [], [{**build_datastore(component, engine), **fields}])


def configured(name: str, files: Mapping[str, str]) -> Manifest:
    """Return a system whose service sees files."""
    mount: Manifest = {"configs": [{"name": "settings", "mountPath": "/etc/app"}]}
    configs = [{"name": "settings", "files": dict(files)}]
    return build_system(name, [build_service("api", **mount)], configs=configs)


def volumes(name: str, volume: str) -> Manifest:
    """Return a system whose service has a shared volume."""
    mount: Manifest = {"volumes": [{"name": volume, "mountPath": "/models"}]}
    shared = [{"name": volume, "size": "1Gi", "accessMode": "ReadWriteOnce"}]
    return build_system(name, [build_service("api", **mount)], volumes=shared)


def isolated(system: Manifest) -> Manifest:
    """Return the system with its NetworkPolicies."""
    return {**system, "spec": {**system["spec"], "network": {"isolation": "Enforced"}}}


def config_map_of(system: str, files: Mapping[str, str]) -> str:
    """Return the name that the operator gives a config's ConfigMap."""
    owner = Owner("", "", system, "", "", 0)
    spec = TradingSystemSpec.model_validate(configured(system, files)["spec"])
    return config_map_name(owner, "settings", spec.configs[0].files or {})


def pod_specs(space: Namespace, system: str) -> list[Manifest]:
    """Return the pods' specs of a system."""
    found = space.list("pods", f"app.kubernetes.io/part-of={system}")
    assert found, f"{system} has no pods"
    return [pod["spec"] for pod in found]


def container(space: Namespace, system: str) -> Manifest:
    """Return the container of a system with one pod."""
    (spec,) = pod_specs(space, system)
    (found,) = spec["containers"]
    return dict(found)
