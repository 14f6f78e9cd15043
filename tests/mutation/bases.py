"""The systems that are mutated; each comes up on fake nodes by itself."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.tools import find_tools
from integration.systems import build_chain, build_datastore, build_service, build_system

EXAMPLES = Path(__file__).parents[2] / "examples"
Spec = dict[str, Any]
_SECRET = {"metadata": {"name": "broker"}, "stringData": {"key": "k", "password": "p"}}
_SETTINGS = {"metadata": {"name": "settings"}, "data": {"a.json": "{}"}}

# Stands for the system's own name in names that must differ between systems.
HERE = "here"
# How many of each are mutated at once, in one namespace each.
COPIES = {"chain": 7, "full": 14, "workers": 9, "cache": 9, "example": 3}


def build_bases() -> dict[str, Spec]:
    """Return the specs by name."""
    specs = {
        "chain": build_chain()["spec"],
        "full": _build_full(),
        "workers": _build_workers(),
        "cache": _build_cache(),
        # Proven good at once: nothing of it changes by itself any more.
        "example": {**_build_example("TradingSystem")[0]["spec"], "rollout": {"bakeTime": "0s"}},
    }
    # What is used twice above is written twice: a change concerns one place alone.
    return {name: json.loads(json.dumps(spec)) for name, spec in specs.items()}


def localise(spec: Spec, system: str) -> Spec:
    """Return a spec with the names that it has as the spec of one system among others."""
    changed: Spec = json.loads(json.dumps(spec))
    for component in (*_items(changed, "datastores"), *_items(changed, "services")):
        name = component.get("serviceName")
        if isinstance(name, str) and name.startswith(f"{HERE}-"):
            component["serviceName"] = name.replace(HERE, system, 1)
    return changed


def _items(spec: Spec, kind: str) -> list[Spec]:
    items = spec.get(kind) if isinstance(spec, dict) else None
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def build_surroundings() -> list[tuple[str, dict[str, Any]]]:
    """Return what the systems refer to, as pairs of plural and manifest."""
    maps = [
        {"metadata": {"name": each["metadata"]["name"]}, "data": each["data"]}
        for each in _build_example("ConfigMap")
    ]
    return [("secrets", _SECRET), ("configmaps", _SETTINGS), *(("configmaps", m) for m in maps)]


def _build_workers() -> Spec:
    """Return three services without edges that share a volume."""
    mount = [{"name": "models", "mountPath": "/app/models"}]
    services = [
        build_service("one", replicas=2, volumes=mount),
        build_service("two", volumes=[{**mount[0], "readOnly": True}]),
        build_service("three", ports=[], health={"command": ["true"]}),
    ]
    spec: Spec = build_system(
        "w", services, volumes=[{"name": "models", "size": "1Gi", "accessMode": "ReadWriteMany"}]
    )["spec"]
    return spec


def _build_cache() -> Spec:
    """Return a cache that a service can do without."""
    reader = build_service("reader", image="registry.example/reader@sha256:" + "0" * 64)
    reader["dependsOn"] = [{"name": "cache", "required": False, "timeout": "10s"}]
    store = {**build_datastore("cache", "Redis"), "parameters": {"maxmemory-policy": "noeviction"}}
    spec: Spec = build_system("c", [reader], [store], network={"isolation": "Enforced"})["spec"]
    return spec


def _build_example(kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind of the published example, as kustomize builds them."""
    command = [str(find_tools() / "kubectl"), "kustomize", str(EXAMPLES / "autonomous")]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [each for each in yaml.safe_load_all(rendered) if each["kind"] == kind]


def _build_full_store(amounts: Mapping[str, str]) -> Spec:
    """Return a datastore that sets every field."""
    return {
        **build_datastore("store", "TimescaleDB"),
        "storage": {"size": "1Gi", "storageClassName": "standard"},
        "version": "17",
        "database": "market",
        "username": "market",
        "credentials": {"secretName": "broker", "passwordKey": "password"},
        "parameters": {"max_connections": "50"},
        "initScripts": {"config": "sql"},
        "resources": {"requests": amounts, "limits": amounts},
        "port": 5433,
        "serviceName": f"{HERE}-the-store",
        "health": {"period": "5s", "timeout": "2s", "failureThreshold": 3},
    }


def _build_full() -> Spec:
    """Return a system that sets most fields."""
    amounts = {"cpu": "100m", "memory": "64Mi", "ephemeralStorage": "1Gi"}
    reference = {"name": "broker", "key": "key"}
    api = {
        **build_service("api", "store"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["serve"],
        "args": ["--fast"],
        "workload": "Replicated",
        "replicas": 2,
        "ports": [{"name": "http", "port": 8000}, {"name": "grpc", "port": 9000}],
        "serviceName": f"{HERE}-the-api",
        "health": {"path": "/health", "port": "http", "period": "5s", "timeout": "2s"},
        "liveness": {"path": "/livez", "port": "http", "failureThreshold": 5},
        "startupDeadline": "1m",
        "env": [{"name": "A", "value": "b"}, {"name": "KEY", "secretKeyRef": reference}],
        "configs": [{"name": "files", "mountPath": "/app/config"}],
        "volumes": [{"name": "models", "mountPath": "/app/models", "readOnly": False}],
        "writablePaths": ["/var/cache"],
        "resources": {"requests": amounts, "limits": amounts},
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "terminationGracePeriod": "30s",
        "egress": [{"cidr": "203.0.113.0/24", "ports": [443]}],
    }
    trader = {
        **build_service("trader", "api", workload="SingleWriter"),
        "dependsOn": [{"name": "api"}, {"name": "store", "required": False, "timeout": "10s"}],
        "health": {"command": ["healthy"]},
        "liveness": {"command": ["alive"]},
        "env": [{"name": "KEY", "secretKeyRef": reference, "expose": "Variable"}],
        "configs": [{"name": "outside", "mountPath": "/app/outside"}],
    }
    more: Spec = {
        "mode": "Paper",
        "imagePullSecrets": ["registry"],
        "env": [{"name": "LEVEL", "value": "INFO"}, {"name": "TOKEN", "secretKeyRef": reference}],
        "configs": [
            {"name": "files", "files": {"a.json": "{}", "b.yaml": "b: 1"}},
            {"name": "sql", "files": {"1.sql": "select 1;"}},
            {"name": "outside", "configMapRef": "settings"},
        ],
        "volumes": [{"name": "models", "size": "1Gi", "storageClassName": "standard"}],
        "network": {"isolation": "Enforced", "monitoringNamespaces": ["monitoring"]},
    }
    spec: Spec = build_system("f", [api, trader], [_build_full_store(amounts)], **more)["spec"]
    return spec
