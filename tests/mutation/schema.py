"""The schema of TradingSystem as the CRD states it: every leaf, by path."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CRD = Path(__file__).parents[2] / "crds" / "tradingoperator.io_tradingsystems.yaml"
Node = dict[str, Any]
Step = str | int
Steps = tuple[Step, ...]


def read_schema() -> Node:
    """Return the schema of a system's spec."""
    definition = yaml.safe_load(CRD.read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec: Node = schema["properties"]["spec"]
    return spec


def nodes(node: Node, path: str = "spec") -> Iterator[tuple[str, Node]]:
    """Yield every node with its path: `.name` a field, `[]` an item, `{}` a map's value."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from nodes(node["additionalProperties"], f"{path}{{}}")


def is_leaf(node: Node) -> bool:
    """Tell whether a node has no nodes below it."""
    return not {"properties", "items", "additionalProperties"} & node.keys()


def leaves(schema: Node) -> dict[str, Node]:
    """Return all leaves by path."""
    return {path: node for path, node in nodes(schema) if is_leaf(node)}


def descend(node: Node, step: Step) -> tuple[str, Node]:
    """Return how a step into a value is written in a path, and the schema behind it."""
    if isinstance(step, int):
        return "[]", node["items"]
    if step in node.get("properties", {}):
        return f".{step}", node["properties"][step]
    return "{}", node["additionalProperties"]


def split(path: str) -> list[str]:
    """Split a schema path below `spec` into its steps: field names, `[]` and `{}`."""
    marked = path.removeprefix("spec").replace("[]", ".[]").replace("{}", ".{}")
    return marked.split(".")[1:]


def spell(steps: Steps) -> str:
    """Write a path into a value as the API server does: spec.services[0].name."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return "spec" + "".join(parts)
