"""Systems that are only asked about, and what the API server says of them."""

from typing import Any

import httpx
import pytest

from integration.kube_client import Namespace

Spec = dict[str, Any]


def build_store(name: str = "db", **fields: Any) -> Spec:
    """A datastore."""
    return {"name": name, "engine": "PostgreSQL", "storage": {"size": "1Gi"}, **fields}


def build_service(name: str = "app", **fields: Any) -> Spec:
    """A service."""
    return {"name": name, "image": "app:1", **fields}


def build_web(**fields: Any) -> Spec:
    """A service with a port."""
    return build_service(ports=[{"name": "http", "port": 8000}], **fields)


def build_system(spec: Spec, name: str = "momentum") -> Spec:
    """A system of that spec."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "TradingSystem",
        "metadata": {"name": name},
        "spec": spec,
    }


def read_refusal(namespace: Namespace, system: Spec, method: str = "POST") -> tuple[set[str], str]:
    """Return the fields that the server blames and all that it says."""
    name = system["metadata"]["name"] if method == "PUT" else ""
    path = namespace.path("tradingsystems", name)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        namespace.client.request(method, path, system, dryRun="All", fieldValidation="Strict")
    answer = caught.value.response.json()
    causes = answer.get("details", {}).get("causes", [])
    return {cause["field"] for cause in causes}, answer["message"]
