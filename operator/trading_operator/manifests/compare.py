"""Whether a live object is what the plan wants, and where it is not."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from trading_operator.manifests.controller_revision import KIND as REVISION
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.quantity import parse_quantity

_QUANTITY_MAPS = frozenset({"requests", "limits", "capacity"})
_QUANTITIES = frozenset({"sizeLimit"})
_LIST_KEYS = ("uid", "mountPath", "name")
# Whoever adds to one of these changes what it means: a Service that selects by one more label
# reaches nobody, a peer with one more selector is another peer.
_WHOLE = frozenset(
    {
        "selector",
        "matchLabels",
        "podSelector",
        "namespaceSelector",
        "nodeSelector",
        "ingress",
        "egress",
    }
)
# Lists whose items say one thing in one of several ways, such as a volume's source.
_ONE_WAY = frozenset({"volumes", "env"})


class Item(NamedTuple):
    """One item of a list whose items have names, as a step of a path."""

    key: str
    value: str


Path = tuple[str | Item, ...]


def differs(wanted: Manifest, live: Manifest) -> bool:
    """Tell whether a field that the plan sets has another value in the live object.

    Server defaults and other writers' fields are not ours. Fields that left the plan show by the
    rendering annotation, which the plan sets on every object.
    """
    return _mapping_differs(_comparable(wanted), live)


def find_differences(wanted: Manifest, live: Manifest) -> tuple[Path, ...]:
    """Return the paths of the fields in which a live object is not what the plan wants."""
    if not differs(wanted, live):
        return ()
    return tuple(_find("", _comparable(wanted), live, ()))


def describe_path(path: Path) -> str:
    """Return a path for people, as in spec.containers[main].image."""
    text = ""
    for step in path:
        text += f"[{step.value}]" if isinstance(step, Item) else f".{step}"
    return text.removeprefix(".")


def _comparable(wanted: Manifest) -> Manifest:
    if wanted.get("kind") != REVISION:
        return wanted
    # Immutable, and the object's name tells what is in it.
    return {name: value for name, value in wanted.items() if name != "data"}


def _find(name: str, wanted: Any, live: Any, path: Path) -> Iterator[Path]:
    deeper = tuple(_children(name, wanted, live))
    if not deeper:
        yield path
    for step, inner, (mine, theirs) in deeper:
        yield from _find(inner, mine, theirs, (*path, step))


_Child = tuple[str | Item, str, tuple[Any, Any]]


def _children(name: str, wanted: Any, live: Any) -> Iterator[_Child]:
    """Yield the differing parts of a value; nothing for one that is ours as a whole."""
    if name in _WHOLE or name in _QUANTITIES:
        return
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for field, value in wanted.items():
            if _field_differs(field, value, live.get(field)):
                yield field, field, (value, live.get(field))
    elif isinstance(wanted, list) and isinstance(live, list):
        key = _key_of(wanted)
        found = {} if key is None else _by_key(live, key)
        for item in wanted if key is not None else ():
            other = found.get(item[key])
            if other is None or _item_differs(name, item, other):
                yield Item(str(key), str(item[key])), "", (item, other)


def _value_differs(wanted: Any, live: Any) -> bool:
    if _is_empty(wanted) and _is_empty(live):
        return False
    if isinstance(wanted, Mapping):
        return not isinstance(live, Mapping) or _mapping_differs(wanted, live)
    if isinstance(wanted, list):
        return not isinstance(live, list) or _list_differs("", wanted, live)
    return bool(wanted != live)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {}, ())


def _mapping_differs(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    return any(_field_differs(name, value, live.get(name)) for name, value in wanted.items())


def _field_differs(name: str, wanted: Any, live: Any) -> bool:
    if name in _QUANTITY_MAPS and isinstance(wanted, Mapping):
        return any(
            _quantity_differs(amount, (live or {}).get(key)) for key, amount in wanted.items()
        )
    if name in _QUANTITIES:
        return _quantity_differs(wanted, live)
    if name in _WHOLE:
        return bool(_without_empty(wanted) != _without_empty(live))
    if name in _ONE_WAY and isinstance(wanted, list) and isinstance(live, list):
        return _list_differs(name, wanted, live)
    return _value_differs(wanted, live)


def _without_empty(value: Any) -> Any:
    """Return a value without empty lists, which the server leaves out.

    An empty object is something else than none: an empty selector selects everything.
    """
    if isinstance(value, Mapping):
        inner = {name: _without_empty(each) for name, each in value.items()}
        return {name: each for name, each in inner.items() if each is not None}
    if isinstance(value, list):
        return [_without_empty(each) for each in value] or None
    return value


def _quantity_differs(wanted: Any, live: Any) -> bool:
    if live is None:
        return True
    try:
        return parse_quantity(wanted) != parse_quantity(live)
    except ValueError:
        return bool(wanted != live)


def _list_differs(name: str, wanted: list[Any], live: list[Any]) -> bool:
    key = _key_of(wanted)
    if key is None:
        return len(wanted) != len(live) or any(map(_value_differs, wanted, live))
    found = _by_key(live, key)
    return any(
        item[key] not in found or _item_differs(name, item, found[item[key]]) for item in wanted
    )


def _item_differs(name: str, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    if name in _ONE_WAY and any(not _is_empty(live[each]) for each in live.keys() - wanted.keys()):
        return True
    return _value_differs(wanted, live)


def _key_of(items: list[Any]) -> str | None:
    return next((key for key in _LIST_KEYS if _all_have(key, items)), None)


def _by_key(items: list[Any], key: str) -> dict[Any, Mapping[str, Any]]:
    return {item[key]: item for item in items if isinstance(item, Mapping) and key in item}


def _all_have(key: str, items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) and key in item for item in items)
