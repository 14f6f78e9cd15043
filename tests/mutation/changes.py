"""Changes of a spec: where a value goes, and what two specs differ in."""

import copy
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from mutation.schema import Node, Steps, descend, spell, split
from mutation.values import build_required

Spec = dict[str, Any]
MISSING = object()
_SHOWN = 200


def walk(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield every value within a spec with the steps that lead to it."""
    yield steps, value
    if isinstance(value, dict):
        for name, child in value.items():
            yield from walk(child, (*steps, name))
    elif isinstance(value, list):
        for at, child in enumerate(value):
            yield from walk(child, (*steps, at))


def get(value: Any, steps: Steps) -> Any:
    """Return the value at the end of the steps."""
    for step in steps:
        value = value[step]
    return value


def put(spec: Spec, steps: Steps, value: Any) -> Spec:
    """Return a copy with another value at the end of the steps; MISSING takes it away."""
    changed = copy.deepcopy(spec)
    parent = get(changed, steps[:-1])
    if value is MISSING:
        del parent[steps[-1]]
    else:
        parent[steps[-1]] = value
    return changed


def path_of(schema: Node, steps: Steps) -> str:
    """Return the schema path of the steps."""
    path = "spec"
    for step in steps:
        written, schema = descend(schema, step)
        path += written
    return path


def make_room(
    rng: Random, schema: Node, spec: Spec, path: str, names: Sequence[str], anew: bool = False
) -> tuple[Spec, Steps]:
    """Return a copy of the spec in which a leaf's parents exist, and the steps to the leaf.

    `anew` adds an item to the first list on the way, instead of taking one that is there.
    """
    changed: Any = copy.deepcopy(spec)
    parent, node = changed, schema
    steps: Steps = ()
    written = split(path)
    for at, each in enumerate(written):
        step = len(parent) if anew and each == "[]" else _choose_step(rng, parent, each)
        anew = anew and each != "[]"
        _, node = descend(node, step)
        steps = (*steps, step)
        if at + 1 == len(written):
            break
        if isinstance(step, int) and step == len(parent):
            parent.append(build_required(rng, node, names))
        elif isinstance(parent, dict) and step not in parent:
            parent[step] = build_required(rng, node, names)
        parent = parent[step]
    if isinstance(parent, list) and steps[-1] == len(parent):
        parent.append(None)
    return changed, steps


def _choose_step(rng: Random, parent: Any, written: str) -> str | int:
    if written == "[]":
        return rng.randrange(len(parent)) if parent else 0
    if written == "{}":
        return rng.choice(sorted(parent)) if parent else "a.json"
    return written


def differences(before: Any, after: Any, steps: Steps = ()) -> Iterator[str]:
    """Yield `path: from -> to` for everything in which two specs differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            pair = before.get(name, MISSING), after.get(name, MISSING)
            yield from differences(*pair, (*steps, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, (*steps, at))
    elif type(before) is not type(after) or before != after:
        yield f"{spell(steps)}: {_show(before)} -> {_show(after)}"


def _show(value: Any) -> str:
    text = "nothing" if value is MISSING else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
