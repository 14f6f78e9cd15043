"""A small system with PostgreSQL and Redis, for what the example should not be hurt by."""

from typing import Any

IMAGE = "autonomous_trading_system/system-controller:0.1.0"
SERVE = "python3 -m http.server --bind 0.0.0.0 --directory /tmp 8080"


def build_service(name: str, **more: Any) -> dict[str, Any]:
    """Build a service that answers HTTP on 8080."""
    return {
        "name": name,
        "image": IMAGE,
        "command": ["sh", "-c", SERVE],
        "ports": [{"name": "http", "port": 8080}],
        "health": {"path": "/", "period": "1s"},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "terminationGracePeriod": "1s",
        **more,
    }


def build_datastore(name: str, engine: str, **more: Any) -> dict[str, Any]:
    """Build a small datastore."""
    return {
        "name": name,
        "engine": engine,
        "storage": {"size": "1Gi"},
        "health": {"period": "2s"},
        "resources": {
            "requests": {"cpu": "20m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        **more,
    }


def build_system(name: str, **spec: Any) -> dict[str, Any]:
    """Build a TradingSystem; what serves is proven good at once, unless the test says otherwise."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "TradingSystem",
        "metadata": {"name": name},
        "spec": {"rollout": {"bakeTime": "0s"}, **spec},
    }
