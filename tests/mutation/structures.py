"""Changes of more than one leaf: of a spec's structure, and of what it means."""

import copy
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from mutation.changes import MISSING, Spec, get, put, walk
from mutation.schema import Node, Steps, descend, is_leaf
from mutation.values import build_required, choose_invalid, choose_valid

Change = Callable[[Random, Node, Spec], Spec | None]
_LISTS = ("datastores", "services")
_OUTSIDE = ("broker", "settings", "key", "password", "nowhere", "standard")
# Below what the API server reads of a request; of one beyond it no field is to blame.
_LARGEST_REQUEST = 2**20
_TAGS = ("pretend-missing", "pretend-crash", "pretend-unready", "2", "latest")


def names_of(spec: Spec) -> tuple[str, ...]:
    """Return the names that a reference in the spec may mean."""
    named = (value["name"] for _, value in walk(spec) if _is_named(value))
    return tuple(dict.fromkeys((*named, *_OUTSIDE)))


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def _choose(rng: Random, spec: Spec, fits: Callable[[Steps, Any], bool]) -> Steps | None:
    found = [steps for steps, value in walk(spec) if steps and fits(steps, value)]
    return rng.choice(found) if found else None


def _node(schema: Node, steps: Steps) -> Node:
    for step in steps:
        schema = descend(schema, step)[1]
    return schema


def _remove_a_value(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda _, value: True)
    return steps and put(spec, steps, MISSING)  # type: ignore[return-value]


def _remove_what_is_required(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(
        rng,
        spec,
        lambda steps, _: steps[-1] in _node(schema, steps[:-1]).get("required", ()),
    )
    return put(spec, steps, MISSING) if steps else None


def _set_null(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda _, value: True)
    return put(spec, steps, None) if steps else None


def _empty(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(
        rng, spec, lambda _, value: bool(value) and isinstance(value, (dict, list, str))
    )
    return put(spec, steps, type(get(spec, steps))()) if steps else None


def _add_an_unknown_field(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda at, value: "properties" in _node(schema, at))
    return put(spec, (*(steps or ()), "unheardOf"), rng.choice((1, "a", {}, None)))


def _double_an_item(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda _, value: isinstance(value, list) and bool(value))
    if steps is None:
        return None
    items = get(spec, steps)
    return put(spec, steps, [*items, copy.deepcopy(rng.choice(items))])


def _turn_a_list_round(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda _, value: isinstance(value, list) and len(value) > 1)
    return put(spec, steps, get(spec, steps)[::-1]) if steps else None


def _overfill_a_list(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(
        rng, spec, lambda at, value: isinstance(value, list) and "maxItems" in _node(schema, at)
    )
    if steps is None:
        return None
    node = _node(schema, steps)
    item = choose_valid(rng, node["items"], names_of(spec))
    if len(str(item)) * node["maxItems"] > _LARGEST_REQUEST:
        item = build_required(rng, node["items"], names_of(spec))
    items = [copy.deepcopy(item) for _ in range(node["maxItems"] + rng.choice((0, 1)))]
    for at, each in enumerate(items):
        if isinstance(each, dict) and "name" in each:
            each["name"] = f"n{at}"
    return put(spec, steps, items)


def _change_a_type(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda at, _: not is_leaf(_node(schema, at)))
    return put(spec, steps, rng.choice(("text", 7, True, [[]]))) if steps else None


def _set_a_subtree(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda at, _: not is_leaf(_node(schema, at)))
    if steps is None:
        return None
    return put(spec, steps, choose_valid(rng, _node(schema, steps), names_of(spec)))


def _set_two_leaves(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    changed = spec
    for _ in range(2):
        steps = _choose(rng, changed, lambda at, _: is_leaf(_node(schema, at)))
        if steps is not None:
            node = _node(schema, steps)
            changed = put(changed, steps, choose_valid(rng, node, names_of(spec)))
    return changed


def _set_a_leaf_right_and_one_wrong(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    changed = _set_two_leaves(rng, schema, spec) or spec
    steps = _choose(rng, changed, lambda at, _: is_leaf(_node(schema, at)))
    return put(changed, steps, choose_invalid(rng, _node(schema, steps))) if steps else None


def _components(spec: Spec) -> list[Steps]:
    return [(kind, at) for kind in _LISTS for at in range(len(spec.get(kind, ())))]


def _add_an_edge(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    """Make a component need another one; most edges against the order make a cycle."""
    steps = rng.choice(_components(spec))
    names = [get(spec, each)["name"] for each in _components(spec)]
    edge = {"name": rng.choice((*names, "ghost")), "required": rng.random() < 0.7}
    known = [each for each in get(spec, steps).get("dependsOn", ()) if each["name"] != edge["name"]]
    return put(spec, (*steps, "dependsOn"), [*known, edge])


def _close_a_cycle(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    changed = copy.deepcopy(spec)
    ring = [get(changed, each) for each in _components(changed)]
    for one, other in zip(ring, [*ring[1:], ring[0]], strict=True):
        one["dependsOn"] = [{"name": other["name"], "required": rng.random() < 0.5}]
    return changed


def _rename_a_component(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    """Rename a component, with or without those that refer to it."""
    old = get(spec, rng.choice(_components(spec)))["name"]
    changed, whole = copy.deepcopy(spec), rng.random() < 0.7
    for steps, value in list(walk(changed)):
        if value == old and steps[-1] == "name" and (whole or "dependsOn" not in steps):
            get(changed, steps[:-1])["name"] = f"{old}-new"
    return changed


def _remove_a_component(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = rng.choice(_components(spec))
    gone, changed = get(spec, steps)["name"], put(spec, steps, MISSING)
    for each in _components(changed):
        component = get(changed, each)
        edges = component.get("dependsOn", ())
        component["dependsOn"] = [edge for edge in edges if edge["name"] != gone]
    return changed


def _add_a_component(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = rng.choice(_components(spec))
    twin = {**copy.deepcopy(get(spec, steps)), "name": f"twin-{rng.randint(0, 9)}"}
    return put(spec, (steps[0],), [*get(spec, steps[:1]), twin])


def _make_a_service_of_a_datastore(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    stores = [steps for steps in _components(spec) if steps[0] == "datastores"]
    if not stores:
        return None
    steps = rng.choice(stores)
    kind = rng.choice(("Replicated", "SingleWriter"))
    made = {"name": get(spec, steps)["name"], "image": "registry.example/a:1", "workload": kind}
    changed = put(spec, steps, MISSING)
    return put(changed, ("services",), [*changed.get("services", ()), made])


def _change_the_workload(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    if not spec.get("services"):
        return None
    steps = ("services", rng.randrange(len(spec["services"])))
    before = get(spec, steps)
    kind = "Replicated" if before.get("workload") == "SingleWriter" else "SingleWriter"
    return put(spec, steps, {**before, "workload": kind, "replicas": 1})


def _let_ports_clash(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    ports = [{"name": "http", "port": 8000}, {"name": "other", "port": 8000}]
    steps = ("services", rng.randrange(len(spec["services"])))
    return put(spec, (*steps, "ports"), ports)


def _take_a_taken_service_name(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    changed = copy.deepcopy(spec)
    for steps in _components(changed):
        get(changed, steps)["serviceName"] = "taken-twice"
    return changed


def _mount_twice(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    paths = rng.choice((["/tmp"], ["/run"], ["/app", "/app/"], ["/a", "/a/b"], ["/"]))
    steps = ("services", rng.randrange(len(spec["services"])))
    return put(spec, (*steps, "writablePaths"), paths)


def _set_a_variable_of_the_operator(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    names = rng.choice((["TRADING_MODE"], ["DB_HOST", "DB_PORT"], ["STORE_URL"], ["KEY_FILE"]))
    steps = ("services", rng.randrange(len(spec["services"])))
    env = [{"name": name, "value": "mine"} for name in names]
    return put(spec, (*steps, "env"), env)


def _change_an_image(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = rng.choice(_components(spec))
    return put(spec, (*steps, "image"), f"registry.example/other:{rng.choice(_TAGS)}")


def _refer_to_nothing(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    ends = ("secretName", "configMapRef", "storageClassName", "key", "passwordKey")
    steps = _choose(rng, spec, lambda at, _: at[-1] in ends or at[-2:] == ("secretKeyRef", "name"))
    return put(spec, steps, "nowhere") if steps else None


def _ask_for_more_room(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    steps = _choose(rng, spec, lambda at, _: at[-1] == "size")
    return put(spec, steps, rng.choice(("2Gi", "1.5Gi", "1Mi", "100Gi"))) if steps else None


def _throw_the_switches(rng: Random, schema: Node, spec: Spec) -> Spec | None:
    """Set some fields of the system itself, all at once."""
    changed = copy.deepcopy(spec)
    own = {name: node for name, node in schema["properties"].items() if "items" not in node}
    for name in rng.sample(sorted(own), 3):
        changed[name] = choose_valid(rng, own[name], ())
    return changed


STRUCTURES: Sequence[Change] = (
    _remove_a_value,
    _remove_what_is_required,
    _set_null,
    _empty,
    _add_an_unknown_field,
    _double_an_item,
    _turn_a_list_round,
    _overfill_a_list,
    _change_a_type,
    _set_a_subtree,
    _set_two_leaves,
    _set_a_leaf_right_and_one_wrong,
)
MEANINGS: Sequence[Change] = (
    _add_an_edge,
    _close_a_cycle,
    _rename_a_component,
    _remove_a_component,
    _add_a_component,
    _make_a_service_of_a_datastore,
    _change_the_workload,
    _let_ports_clash,
    _take_a_taken_service_name,
    _mount_twice,
    _set_a_variable_of_the_operator,
    _change_an_image,
    _refer_to_nothing,
    _ask_for_more_room,
    _throw_the_switches,
)


def build_whole(rng: Random, schema: Node) -> Spec:
    """Build a spec of which nothing but the schema is known; mostly its names fit together."""
    spec: Spec = choose_valid(rng, schema, ())
    if rng.random() < 0.2:
        return spec
    spec["services"] = spec.get("services") or [{"name": "only", "image": "registry.example/a:1"}]
    names: list[str] = []
    for steps in _components(spec):
        component = get(spec, steps)
        component["name"] = f"{component['name'][:8].rstrip('-')}-{len(names)}"
        component["dependsOn"] = [{"name": rng.choice(names)}] if names else []
        names.append(component["name"])
        _let_references_fit(rng, spec, component)
    return spec


def _let_references_fit(rng: Random, spec: Spec, component: Spec) -> None:
    """Refer to what the spec has, or to nothing."""
    for kind in ("configs", "volumes"):
        known = [each["name"] for each in spec.get(kind, ())]
        uses = component.get(kind, ())
        component[kind] = [{**use, "name": name} for use, name in zip(uses, known, strict=False)]
    component.pop("initScripts", None)
    component["ports"] = [{"name": "http", "port": rng.randint(1, 65535)}]
    for check in ("health", "liveness"):
        if check in component:
            component[check] = {"path": "/health"}
