"""What a system consists of: all that the operator may create, in comparable form."""

import asyncio
from itertools import islice
from typing import Any

from mutation.changes import differences
from mutation.server import Object, Server, path_of

PART_OF = "app.kubernetes.io/part-of"
# The server's own, and what counts the changes that were made.
_SERVER_OWN = ("clusterIP", "clusterIPs", "healthCheckNodePort", "volumeName")
_COUNTED = ("deployment.kubernetes.io/revision", "pv.kubernetes.io/", "volume.kubernetes.io/")
# A volume that left the spec and came back is no longer known to be unopened.
_LEFT_BEHIND = ("tradingoperator.io/made-for", "tradingoperator.io/rendering")
# They outlive what used them: data, and what opens it.
LASTING = frozenset({"persistentvolumeclaims", "secrets"})
HISTORY = frozenset({"controllerrevisions"})
Kind = tuple[str, str]
Child = tuple[str, str]
Children = dict[Child, Object]
_NOT_CHILDREN = frozenset({"events", "leases"})


def read_kinds(rules: list[Object]) -> tuple[Kind, ...]:
    """Return what the chart's rules let the operator create, as pairs of path and plural."""
    versions = {"autoscaling": "autoscaling/v2", "": "v1"}
    found = {
        (group, plural)
        for rule in rules
        if "create" in rule["verbs"]
        for group in rule["apiGroups"]
        for plural in rule["resources"]
        if plural not in _NOT_CHILDREN
    }
    return tuple(
        (f"{'apis' if group else 'api'}/{versions.get(group, f'{group}/v1')}", plural)
        for group, plural in sorted(found)
    )


async def read_children(
    server: Server, kinds: tuple[Kind, ...], namespace: str, system: str
) -> dict[Child, Object]:
    """Return the objects of one system."""
    paths = [path_of(root, plural, namespace) for root, plural in kinds]
    label = f"{PART_OF}={system}"
    answers = await asyncio.gather(
        *(server.send("GET", path, labelSelector=label) for path in paths)
    )
    return {
        (plural, item["metadata"]["name"]): item
        for (_, plural), answer in zip(kinds, answers, strict=True)
        for item in answer.body["items"]
        if "deletionTimestamp" not in item["metadata"]
    }


def simplify(objects: dict[Child, Object]) -> Children:
    """Return all of each object that does not count changes and is not the server's own."""
    return {child: _simplify(child[0], item) for child, item in objects.items()}


def _simplify(plural: str, item: Object) -> Object:
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    kept: Object = {
        name: _plain(value)
        for name, value in item.items()
        if name not in ("metadata", "status", "revision")
    }
    kept["labels"] = metadata.get("labels")
    kept["annotations"] = {
        name: value for name, value in annotations.items() if not name.startswith(_COUNTED)
    }
    if plural == "persistentvolumeclaims":
        for name in _LEFT_BEHIND:
            kept["annotations"].pop(name, None)
    kept["owners"] = [owner["name"] for owner in metadata.get("ownerReferences", ())]
    return kept


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {name: each for name, each in value.items() if name not in _SERVER_OWN}
    ports = kept.get("ports")
    if isinstance(ports, list):
        kept["ports"] = [
            {name: each for name, each in port.items() if name != "nodePort"} for port in ports
        ]
    return kept


def compare(before: Children, after: Children, kept: str) -> list[str]:
    """Return in what the children differ from those of before; `kept` is what history refers to."""
    wrong = [f"{'/'.join(child)} is missing" for child in sorted(before.keys() - after.keys())]
    wrong += [
        f"{'/'.join(child)} differs: {_differences(before[child], after[child])}"
        for child in sorted(before.keys() & after.keys())
        if before[child] != after[child]
    ]
    return wrong + [f"{'/'.join(child)} is left over" for child in leftovers(before, after, kept)]


def _differences(before: Object, after: Object) -> str:
    return ", ".join(islice(differences(before, after), 4))


def leftovers(before: Children, after: Children, kept: str = "") -> list[Child]:
    """Return what is there beyond what was, and is no data and no history."""
    more = sorted(after.keys() - before.keys())
    return [
        (plural, name)
        for plural, name in more
        if plural not in LASTING | HISTORY and not (plural == "configmaps" and name in kept)
    ]
