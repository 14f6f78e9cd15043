"""Who wrote a field last, by the managed fields of a live object."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trading_operator.kube.transport import FIELD_MANAGER
from trading_operator.manifests.compare import Item, Path


def other_managers(live: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Return the names of the managers, ours aside, that own a field or what is in it."""
    return tuple(sorted(set(_managers(live, path)) - {FIELD_MANAGER}))


def _managers(live: Mapping[str, Any], path: Path) -> Iterator[str]:
    for entry in live["metadata"].get("managedFields") or ():
        if not entry.get("subresource") and _owns(entry.get("fieldsV1") or {}, path):
            yield str(entry.get("manager", ""))


def _owns(fields: Mapping[str, Any], path: Path) -> bool:
    for step in path:
        inner = next((fields[name] for name in fields if _is_step(name, step)), None)
        if inner is None:
            return False
        if not inner.keys() - {"."}:
            return True  # it has the whole, what the path leads to among it
        fields = inner
    return True


def _is_step(name: str, step: str | Item) -> bool:
    """Tell whether a name of managed fields is a step of a path; items are named by their keys."""
    if isinstance(step, str):
        return name == f"f:{step}"
    if not name.startswith("k:"):
        return False
    keys = json.loads(name.removeprefix("k:"))
    return str(keys.get(step.key)) == step.value
