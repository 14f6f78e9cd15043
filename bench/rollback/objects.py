"""The same service twice: as a trading system, and as a Helm chart made from what that became."""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.rollback.failures import REPLICAS, THRESHOLD, Version
from bench.rollback.program import PORT, SETTINGS

Object = dict[str, Any]
SYSTEM, COMPONENT = "desk", "web"
WORKLOAD = f"{SYSTEM}-{COMPONENT}"
RELEASE = "web"
LABELS = {"app": RELEASE}
PROGRAM = Path(__file__).with_name("program.py")


def build_system(version: Version, bake_seconds: int) -> Object:
    """Build the trading system of a version."""
    files = {SETTINGS.name: version.settings}
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "TradingSystem",
        "metadata": {"name": SYSTEM},
        "spec": {
            "network": {"isolation": "Off"},
            "rollout": {"bakeTime": f"{bake_seconds}s"},
            "configs": [{"name": "settings", "files": files}],
            "services": [_build_service(version)],
        },
    }


def _build_service(version: Version) -> Object:
    timing = {"period": "1s", "failureThreshold": THRESHOLD}
    return {
        "name": COMPONENT,
        "image": version.image,
        "command": ["python3", "-c", PROGRAM.read_text(encoding="utf-8")],
        "replicas": REPLICAS,
        "ports": [{"name": "http", "port": PORT}],
        "health": {"path": version.health_path, **timing},
        "liveness": {"path": "/alive", **timing},
        "env": [
            {"name": "VERSION", "value": version.name},
            {"name": "FAILS", "value": version.fails},
        ],
        "configs": [{"name": "settings", "mountPath": str(SETTINGS.parent)}],
        "resources": {
            "requests": {"cpu": "20m", "memory": "32Mi"},
            "limits": {"memory": version.memory_limit},
        },
        "terminationGracePeriod": "10s",
    }


def build_release(deployment: Object, service: Object, version: Version) -> list[Object]:
    """Build what the chart holds of a version: the operator's own objects under other labels.

    Helm's customary way of having a config roll its pods is a checksum in their template.
    """
    settings: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {SETTINGS.name: version.settings},
    }
    return [settings, _build_deployment(deployment, version), _build_plain_service(service)]


def _build_plain_service(live: Object) -> Object:
    ports = [
        {key: value for key, value in port.items() if key != "nodePort"}
        for port in live["spec"]["ports"]
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": RELEASE, "labels": LABELS},
        "spec": {"type": "ClusterIP", "selector": LABELS, "ports": ports},
    }


def _build_deployment(live: Object, version: Version) -> Object:
    spec: Object = copy.deepcopy(live["spec"])
    spec["selector"] = {"matchLabels": LABELS}
    pod = spec["template"]["spec"]
    checksum = hashlib.sha256(version.settings.encode()).hexdigest()
    spec["template"]["metadata"] = {"labels": LABELS, "annotations": {"checksum/config": checksum}}
    for selector in _selectors(pod):
        selector["matchLabels"] = LABELS
    (container,) = pod["containers"]
    folder = str(SETTINGS.parent)
    names = [each["name"] for each in container["volumeMounts"] if each["mountPath"] == folder]
    for volume in pod["volumes"]:
        if volume["name"] in names:
            volume["configMap"]["name"] = "settings"
    _set_version(container, version)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": RELEASE, "labels": LABELS},
        "spec": spec,
    }


def _selectors(part: Any) -> Iterator[Object]:
    if isinstance(part, list):
        for each in part:
            yield from _selectors(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "labelSelector":
                yield value
            else:
                yield from _selectors(value)


def _set_version(container: Object, version: Version) -> None:
    container["image"] = version.image
    container["readinessProbe"]["httpGet"]["path"] = version.health_path
    container["resources"]["limits"]["memory"] = version.memory_limit
    for variable in container["env"]:
        variable["value"] = {"VERSION": version.name, "FAILS": version.fails}.get(
            variable["name"], variable.get("value")
        )


def version_of(pod: Mapping[str, Any]) -> str:
    """Return the version that a pod runs, "" when it is no pod of the service."""
    variables = pod["spec"]["containers"][0].get("env") or ()
    return next((str(each.get("value", "")) for each in variables if each["name"] == "VERSION"), "")
