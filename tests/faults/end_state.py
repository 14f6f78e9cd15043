"""The state in which a scenario ends, in a form that is the same in every namespace."""

import asyncio
import re
from typing import Any

import orjson

from faults.scenarios import NAME
from mutation.changes import differences
from mutation.children import Kind, read_children, simplify
from mutation.server import SYSTEMS, Object, Server, path_of

COMPONENT = "app.kubernetes.io/component"
State = dict[str, Any]
_SHOWN = 6
_PROVISIONER = "volume."  # annotations that others write, at their own time
# A digest of all that is written, the uid of the owner in it.
_RENDERING = "tradingoperator.io/rendering"


async def read_state(server: Server, kinds: tuple[Kind, ...], namespace: str) -> State:
    """Return the children, the pods and the status of the system of a namespace."""
    children, pods, system = await asyncio.gather(
        read_children(server, kinds, namespace, NAME),
        server.send("GET", path_of("api/v1", "pods", namespace)),
        server.send("GET", path_of(*SYSTEMS, namespace, NAME)),
    )
    state = {
        "children": {
            "/".join(child): _told(child[0], item, simple)
            for (child, item), simple in zip(
                children.items(), simplify(children).values(), strict=True
            )
        },
        "pods": sorted(map(_pod, pods.body["items"])),
        "status": None if system.refused else _status(system.body),
    }
    return _without_namespace(state, namespace)


async def read_identities(
    server: Server, kinds: tuple[Kind, ...], namespace: str
) -> dict[str, str]:
    """Return the uids of the children by name."""
    children = await read_children(server, kinds, namespace, NAME)
    return {"/".join(child): item["metadata"]["uid"] for child, item in children.items()}


def compare_states(expected: State, found: State) -> list[str]:
    """Return in what an end state differs from that of the undisturbed run."""
    wrong = [f"{name} is missing" for name in sorted(_names(expected) - _names(found))]
    wrong += [f"{name} is left over" for name in sorted(_names(found) - _names(expected))]
    if wrong:
        return wrong
    return [f"differs: {line}" for line in differences(expected, found)][:_SHOWN]


def _names(state: State) -> set[str]:
    return set(state["children"])


def _told(plural: str, item: Object, simple: Object) -> Object:
    if plural == "secrets":
        return {**simple, "data": sorted(simple.get("data") or ())}  # drawn anew each time
    if plural == "persistentvolumeclaims":
        annotations = simple["annotations"].items()
        told = {name: text for name, text in annotations if not name.startswith(_PROVISIONER)}
        return {**simple, "annotations": told}
    if plural == "controllerrevisions":
        return {**simple, "revision": item["revision"]}
    return simple


def _pod(pod: Object) -> str:
    component = pod["metadata"].get("labels", {}).get(COMPONENT, pod["metadata"]["name"])
    images = [each["image"] for each in pod["spec"]["containers"]]
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    deleting = "deletionTimestamp" in pod["metadata"]
    return f"{component} {images} ready={ready} deleting={deleting}"


def _status(system: Object) -> Object:
    status = system.get("status", {})
    rollout = status.get("rollout") or {}
    return {
        "conditions": {
            each["type"]: (each["status"], each["reason"], each.get("observedGeneration"))
            for each in status.get("conditions") or ()
        },
        "components": {
            each["name"]: {
                field: each.get(field) for field in ("state", "ready", "desired", "revision")
            }
            for each in status.get("components") or ()
        },
        "rollout": {field: rollout.get(field) for field in ("phase", "revision", "component")},
        "finalizers": system["metadata"].get("finalizers"),
        **{name: status.get(name) for name in ("revision", "desiredRevision", "lastGoodRevision")},
    }


def _without_namespace(state: State, namespace: str) -> State:
    text = re.sub(re.escape(namespace), "NAMESPACE", orjson.dumps(state).decode())
    plain: State = orjson.loads(text)
    _drop(plain, _RENDERING)
    return plain


def _drop(value: Any, name: str) -> None:
    if isinstance(value, dict):
        value.pop(name, None)
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            _drop(each, name)
