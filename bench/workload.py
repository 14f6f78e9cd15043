"""The system that every subject makes: seven services without dependencies among them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

Object = dict[str, Any]
SERVICES = ("feed", "features", "training", "strategy", "risk", "report", "gateway")
# Stands in the template where a system's own name, namespace and uid belong.
NAME, NAMESPACE, UID = "SYSTEM-NAME", "SYSTEM-SPACE", "SYSTEM-UID"
_LOGGING = "version: 1\nhandlers: {console: {class: logging.StreamHandler, stream: stdout}}\n"


@dataclass(frozen=True)
class System:
    """One system that is there."""

    name: str
    namespace: str
    uid: str


@dataclass(frozen=True)
class Child:
    """One request that makes a child: where it goes and what it says."""

    path: str
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Template:
    """What the operator sends for one system, with places instead of names."""

    children: tuple[Child, ...]
    status: Mapping[str, Any]

    def dump(self) -> bytes:
        """Return the template as JSON."""
        return orjson.dumps(asdict(self))


def load_template(content: bytes) -> Template:
    """Read what `dump` wrote."""
    read = orjson.loads(content)
    return Template(tuple(Child(**child) for child in read["children"]), read["status"])


def build_system(name: str, namespace: str) -> Object:
    """Build the resource of one system."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "TradingSystem",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "configs": [{"name": "logging", "files": {"logging.yaml": _LOGGING}}],
            "env": [{"name": "LOG_LEVEL", "value": "INFO"}],
            "services": [_build_service(service) for service in SERVICES],
        },
    }


def _build_service(name: str) -> Object:
    return {
        "name": name,
        "image": f"registry.example/trading/{name}:1.0.0",
        "ports": [{"name": "http", "port": 8000}],
        "health": {"path": "/health", "port": "http"},
        "liveness": {"path": "/livez", "port": "http"},
        "configs": [{"name": "logging", "mountPath": "/app/config"}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "96Mi"},
            "limits": {"memory": "256Mi"},
        },
    }


def systems_path(namespace: str, name: str = "") -> str:
    """Return the path of a namespace's systems, or of one of them."""
    path = f"/apis/tradingoperator.io/v1alpha1/namespaces/{namespace}/tradingsystems"
    return f"{path}/{name}" if name else path


def fill(content: bytes, system: System) -> bytes:
    """Put a system's names into a part of the template."""
    for place, name in ((NAMESPACE, system.namespace), (NAME, system.name), (UID, system.uid)):
        content = content.replace(place.encode(), name.encode())
    return content


def empty(content: bytes, system: System) -> bytes:
    """Put places where a system's names are: the opposite of `fill`."""
    for place, name in ((UID, system.uid), (NAME, system.name), (NAMESPACE, system.namespace)):
        content = content.replace(name.encode(), place.encode())
    return content
