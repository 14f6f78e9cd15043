"""Objects as the API server sends them."""

from typing import Any

OWNER_UID = "owner-uid"


def build_config_map(name: str, version: int, **more: Any) -> dict[str, Any]:
    """Build a ConfigMap of system `one` in namespace `ns`."""
    metadata = {
        "name": name,
        "namespace": "ns",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "labels": {"app.kubernetes.io/part-of": "one"},
        "ownerReferences": [{"uid": OWNER_UID, "kind": "TradingSystem", "name": "one"}],
        **more,
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}


def build_pod(name: str, version: int, **status: Any) -> dict[str, Any]:
    """Build a pod of system `one` in namespace `ns`."""
    metadata = {
        "name": name,
        "namespace": "ns",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "labels": {
            "app.kubernetes.io/part-of": "one",
            "app.kubernetes.io/component": "api",
        },
        "annotations": {"tradingoperator.io/revision": "r1"},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


def build_body(name: str = "one", version: int = 1, **more: Any) -> dict[str, Any]:
    """Build the body of a trading system."""
    metadata = {
        "name": name,
        "namespace": "ns",
        "uid": OWNER_UID,
        "generation": 1,
        "resourceVersion": str(version),
    }
    kind = {"apiVersion": "tradingoperator.io/v1alpha1", "kind": "TradingSystem"}
    return {**kind, "metadata": metadata, "spec": {}, **more}
