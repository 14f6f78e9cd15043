"""Values for a node of the schema: such as it allows, and such as it forbids."""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from mutation.schema import Node
from mutation.text import matches, sample
from trading_operator.api.autoscaling import MOST_PODS

ANY_TYPE = "x-kubernetes-int-or-string"
_QUANTITIES: tuple[Any, ...] = (
    *("1", "0", "1000m", "0.5", "1.5Gi", "1024Mi", "1M", "250m", "0.001", "1.001Ki", "64Mi"),
    *("999P", "2Gi", "007", "0.0", "1k", 0, 1, 2, 1000000, 10**17),
)
_TEXTS = (
    *("", " ", "a", "A", "-x", "x-", "1s", "0s", "5m", "1h30m", "9999h", "/", "/a/../b", "/app/ä"),
    *("ünïcödé", "💥", "a\nb", "a\tb", "\u0000", "a b", "$(HOME)", "{{ x }}", "..", "null", "true"),
    *(
        "10.0.0.0/8",
        "10.0.0.1/8",
        "0.0.0.0/0",
        "999.1.1.1/33",
        "::/0",
        "1.2.3.4/0",
        "nvidia.com/gpu",
    ),
    *("17", "17.2", "16", "7", "8.4.1", "0", "example.org", "registry.example/x:1", "x@sha256:00"),
    *("registry.example/a:pretend-missing", "registry.example/a:pretend-crash", "x:latest", "x"),
    *("registry.example/a:pretend-unready", "registry.example/a:2", "a:b:c", "a//b", "30s", "2Gi"),
)
_LONGEST_LIST = 3
_LARGEST = 2**31
# Three fake nodes and two cores run a thousand pods, and nothing else for minutes.
_FEW_PODS = 12


def choose_valid(rng: Random, node: Node, names: Sequence[str]) -> Any:
    """Return a value that the node allows; `names` are those that references may mean."""
    if "properties" in node:
        return _object(rng, node, names)
    if "items" in node:
        least = node.get("minItems", 0)
        most = max(least, min(_LONGEST_LIST, node.get("maxItems", _LONGEST_LIST)))
        size = rng.randint(least, most)
        return _unique([choose_valid(rng, node["items"], names) for _ in range(size)], node)
    if "additionalProperties" in node:
        keys = [rng.choice(("a.json", "max", "b", "work.mem")) for _ in range(rng.randint(0, 2))]
        return {key: choose_valid(rng, node["additionalProperties"], names) for key in keys}
    return _leaf(rng, node, names)


def _object(rng: Random, node: Node, names: Sequence[str]) -> Any:
    required = node.get("required", ())
    chance = 0.3
    return {
        name: choose_valid(rng, child, names)
        for name, child in node["properties"].items()
        if name in required or rng.random() < chance
    }


def build_required(rng: Random, node: Node, names: Sequence[str]) -> Any:
    """Return the smallest value that the node allows."""
    if "properties" in node:
        required = node.get("required", ())
        return {name: build_required(rng, node["properties"][name], names) for name in required}
    if "items" in node:
        return [build_required(rng, node["items"], names) for _ in range(node.get("minItems", 0))]
    return {} if "additionalProperties" in node else _leaf(rng, node, names)


def _unique(items: list[Any], node: Node) -> list[Any]:
    if node.get("x-kubernetes-list-type") == "set":
        return list(dict.fromkeys(items))
    keys = node.get("x-kubernetes-list-map-keys")
    if keys:
        return list({str([item.get(key) for key in keys]): item for item in items}.values())
    return items


def _leaf(rng: Random, node: Node, names: Sequence[str]) -> Any:
    if "enum" in node:
        return rng.choice(node["enum"])
    if ANY_TYPE in node:
        return rng.choice([each for each in _QUANTITIES if allows(node, each)] or [1])
    if node["type"] == "boolean":
        return rng.choice((True, False))
    if node["type"] in ("integer", "number"):
        least, most = node.get("minimum", 0), node.get("maximum", _LARGEST)
        if most == MOST_PODS:
            most = _FEW_PODS
        return rng.choice((least, most, min(least + 1, most), rng.randint(least, most)))
    return _text(rng, node, names)


def _text(rng: Random, node: Node, names: Sequence[str]) -> str:
    known = [name for name in names if allows(node, name)]
    if known and rng.random() < 0.5:
        return str(rng.choice(known))
    listed = [text for text in _TEXTS if allows(node, text)]
    drawn = [text for text in (_drawn(rng, node) for _ in range(8)) if allows(node, text)]
    longest = [text for text in (_longest(rng, node),) if allows(node, text)]
    choices = [each for each in (listed, drawn, drawn, longest) if each]
    if not choices:
        raise AssertionError(f"found no text for {node}")
    return str(rng.choice(rng.choice(choices)))


def _drawn(rng: Random, node: Node) -> str:
    text = sample(rng, node["pattern"]) if "pattern" in node else rng.choice(_TEXTS)
    return str(text[: node.get("maxLength", len(text))])


def _longest(rng: Random, node: Node) -> str:
    text, most = _drawn(rng, node) or "a", int(node.get("maxLength", 64))
    return (text * (most // len(text) + 1))[:most]


def allows(node: Node, value: Any) -> bool:
    """Tell whether a leaf allows a value."""
    if "enum" in node:
        return value in node["enum"]
    if isinstance(value, bool):
        return bool(node.get("type") == "boolean")
    if isinstance(value, int):
        numeric = node.get("type") == "integer" or ANY_TYPE in node
        return bool(numeric and node.get("minimum", value) <= value <= node.get("maximum", value))
    if not isinstance(value, str) or not (node.get("type") == "string" or ANY_TYPE in node):
        return False
    fits = node.get("minLength", 0) <= len(value) <= node.get("maxLength", len(value))
    return fits and matches(node.get("pattern", ""), value)


Wrong = Callable[[Node], Iterable[Any]]


def _wrong_types(node: Node) -> Iterable[Any]:
    yield from (["a"], {"a": "b"}, 1.5, True, 7, "text")


def _beyond_bounds(node: Node) -> Iterable[Any]:
    if "minimum" in node:
        yield from (node["minimum"] - 1, node["minimum"] - 1000)
    if "maximum" in node:
        yield from (node["maximum"] + 1, node["maximum"] * 1000 + 7)
    yield from (2**63, -1)


def _wrong_texts(node: Node) -> Iterable[Any]:
    yield from _TEXTS
    yield from ("None", "1e3", "1E", "-1", "+1", "1.5.5Gi", "1 Gi", "Gi", "9" * 30, "1GiB", "1e-3")
    yield from (f"{each}x" for each in node.get("enum", ()))
    yield from (each.lower() for each in node.get("enum", ()))
    if "maxLength" in node:
        yield from ("a" * (node["maxLength"] + 1), "/" + "a" * node["maxLength"])


_WRONGS: tuple[Wrong, ...] = (_wrong_types, _beyond_bounds, _wrong_texts)


def choose_invalid(rng: Random, node: Node) -> Any:
    """Return a value that a leaf forbids."""
    kinds = [[each for each in wrong(node) if not allows(node, each)] for wrong in _WRONGS]
    return rng.choice(rng.choice([kind for kind in kinds if kind]))
