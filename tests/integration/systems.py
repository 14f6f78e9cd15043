"""Trading systems for tests; kwok pretends that their pods run, or fail as their tag says."""

from typing import Any


def build_system(
    name: str,
    services: list[dict[str, Any]],
    datastores: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Build a trading system without isolation, which kwok's pods do not need.

    What serves is proven good at once, unless the test says otherwise.
    """
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "TradingSystem",
        "metadata": {"name": name},
        "spec": {
            "network": {"isolation": "Off"},
            "rollout": {"bakeTime": "0s"},
            "datastores": datastores or [],
            "services": services,
            **spec,
        },
    }


def build_service(name: str, *needs: str, tag: str = "1", **more: Any) -> dict[str, Any]:
    """Build a service that needs other components; `tag` may ask for a pretended failure."""
    return {
        "name": name,
        "image": f"registry.example/{name}:{tag}",
        "ports": [{"name": "http", "port": 8000}],
        "health": {"path": "/health"},
        "dependsOn": [{"name": need} for need in needs],
        **more,
    }


def build_datastore(name: str, engine: str = "PostgreSQL") -> dict[str, Any]:
    """Build a small datastore."""
    return {"name": name, "engine": engine, "storage": {"size": "1Gi"}}


def build_chain() -> dict[str, Any]:
    """Build a database, a feed that needs it, and a strategy that needs both."""
    return build_system(
        "chain",
        [
            build_service("strategy", "feed", "db", workload="SingleWriter"),
            build_service("feed", "db"),
        ],
        [build_datastore("db")],
        configs=[{"name": "market", "files": {"market.json": "{}"}}],
    )
