"""A trading system with every field of the API set."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from integration.systems import build_system
from trading_operator.api.trading_system import TradingSystemSpec

Manifest = dict[str, Any]

BROKER: Manifest = {
    "metadata": {"name": "broker"},
    "stringData": {"key": "k", "password": "p", "tls.crt": "c", "tls.key": "k"},
}
NOTES: Manifest = {"metadata": {"name": "notes"}, "data": {"note.txt": "n"}}

_RESOURCES: Manifest = {
    "requests": {"cpu": "10m", "memory": "16Mi", "ephemeralStorage": "1Mi"},
    "limits": {"cpu": "1", "memory": "64Mi", "ephemeralStorage": "64Mi"},
}
_SCHEDULING: Manifest = {
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [
        {
            "key": "trading",
            "operator": "Equal",
            "value": "only",
            "effect": "NoExecute",
            "tolerationSeconds": 60,
        }
    ],
    "priorityClassName": "desk",
    "topologySpread": [
        {
            "key": "kubernetes.io/hostname",
            "maxSkew": 2,
            "whenUnsatisfiable": "ScheduleAnyway",
        }
    ],
}
_TIMING: Manifest = {"period": "5s", "timeout": "2s", "failureThreshold": 2}
_USER: Manifest = {"runAsUser": 1234, "runAsGroup": 1234}
PRIORITY_CLASS: Manifest = {"metadata": {"name": "desk"}, "value": 1000}


def build_full_system(name: str) -> Manifest:
    """Build the system; it needs the Secret BROKER, the ConfigMap NOTES and PRIORITY_CLASS."""
    return build_system(
        name,
        [_worker(), _strategy(name), _trainer()],
        [_database(name), _series(), _cache()],
        paused=False,
        hibernated=False,
        tradingState="Active",
        deletion={
            "volumes": "Delete",
            "backup": "nightly",
            "backupDeadline": "1m",
            "stopDeadline": "5s",
        },
        rollout={
            "progressDeadline": "2m",
            "bakeTime": "0s",
            "onFailure": "Rollback",
            "approval": "Automatic",
            "backupBefore": "nightly",
        },
        mode="Live",
        imagePullSecrets=["registry"],
        env=[{"name": "LOG_LEVEL", "value": "INFO"}],
        configs=[
            {"name": "settings", "files": {"a.yaml": "a: 1"}},
            {"name": "notes", "configMapRef": "notes"},
        ],
        volumes=[
            {
                "name": "models",
                "size": "1Gi",
                "accessMode": "ReadWriteMany",
                "storageClassName": "standard",
            }
        ],
        network={
            "isolation": "Enforced",
            "monitoringNamespaces": ["monitoring"],
            "ingressNamespaces": ["ingress"],
        },
    )


def _database(system: str) -> Manifest:
    return {
        "name": "db",
        "engine": "PostgreSQL",
        "version": "17",
        "image": "registry.example/postgresql:17.4",
        "database": "orders",
        "username": "desk",
        "credentials": {"secretName": "broker", "passwordKey": "password"},
        "storage": {"size": "1Gi", "storageClassName": "standard"},
        "parameters": {"max_connections": "50"},
        "initScripts": {"config": "settings"},
        "resources": _RESOURCES,
        "scheduling": _SCHEDULING,
        "disruptionBudget": {"maxUnavailable": 1},
        "port": 6432,
        "serviceName": f"{system}-orders",
        "health": _TIMING,
        "dependsOn": [],
        **_USER,
    }


def _series() -> Manifest:
    return {"name": "series", "engine": "TimescaleDB", "storage": {"size": "1Gi"}}


def _cache() -> Manifest:
    needs = [{"name": "series", "required": False, "timeout": "1s"}]
    return {"name": "cache", "engine": "Redis", "storage": {"size": "1Gi"}, "dependsOn": needs}


def _worker() -> Manifest:
    return {
        "name": "worker",
        "image": "registry.example/worker:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["work"],
        "args": ["--fast"],
        "workload": "Replicated",
        "autoscaling": {
            "min": 1,
            "max": 3,
            "cpu": 70,
            "memory": 80,
            "external": [
                {
                    "metric": "queue",
                    "selector": {"matchLabels": {"queue": "orders"}},
                    "averageValue": "30",
                },
                {"metric": "load", "value": "5"},
            ],
            "scaleDownStabilization": "5m",
        },
        "disruptionBudget": {"minAvailable": 1},
        "scheduling": _SCHEDULING,
        "ports": [{"name": "http", "port": 8000, "servicePort": 80}],
        "exposure": {
            "type": "LoadBalancer",
            "sessionAffinity": "ClientIP",
            "sessionAffinityTimeout": "1h",
            "loadBalancerSourceRanges": ["203.0.113.0/24"],
            "loadBalancerClass": "example.com/lb",
            "externalTrafficPolicy": "Local",
            "annotations": {"example.com/lb": "internal"},
        },
        "ingress": {
            "className": "nginx",
            "hosts": [{"host": "desk.example.com", "paths": ["/api"]}],
            "port": "http",
            "tlsSecretName": "broker",
            "annotations": {"example.com/issuer": "own"},
        },
        "health": {"path": "/health", "port": "http", **_TIMING},
        "liveness": {"command": ["true"], **_TIMING},
        "startupDeadline": "1m",
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "KEY", "secretKeyRef": {"name": "broker", "key": "key"}, "expose": "File"},
        ],
        "configs": [
            {"name": "settings", "mountPath": "/etc/worker"},
            {"name": "notes", "mountPath": "/etc/notes"},
        ],
        "volumes": [{"name": "models", "mountPath": "/models", "readOnly": True}],
        "writablePaths": ["/var/cache/worker"],
        "resources": _RESOURCES,
        "terminationGracePeriod": "5s",
        "egress": [{"cidr": "203.0.113.0/24", "ports": [443]}],
        "dependsOn": [{"name": "db", "required": True, "timeout": "1m"}],
        **_USER,
    }


def _strategy(system: str) -> Manifest:
    variable = {"name": "KEY", "secretKeyRef": {"name": "broker", "key": "key"}}
    return {
        "name": "strategy",
        "image": "registry.example/strategy:1",
        "workload": "SingleWriter",
        "replicas": 1,
        "serviceName": f"{system}-trader",
        "ports": [{"name": "http", "port": 8004}],
        "env": [{**variable, "expose": "Variable"}],
        "dependsOn": [{"name": "db"}, {"name": "cache"}],
    }


def _trainer() -> Manifest:
    image = "registry.example/trainer:1"
    return {"name": "trainer", "image": image, "gpu": {"count": 1, "resource": "nvidia.com/gpu"}}


def fields_that_are_not_set(spec: Manifest) -> set[str]:
    """Return the fields of the API, as model and name, that no part of the spec sets."""
    known = set(_fields(TradingSystemSpec))
    return known - set(_set_fields(TradingSystemSpec, spec))


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield f"{model.__name__}.{info.alias or name}"
        for inner in _models(info.annotation):
            yield from _fields(inner)


def _set_fields(model: type[BaseModel], values: Manifest) -> Iterator[str]:
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if alias not in values:
            continue
        yield f"{model.__name__}.{alias}"
        value = values[alias]
        for inner in _models(info.annotation):
            for each in value if isinstance(value, list) else [value]:
                yield from _set_fields(inner, each)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
