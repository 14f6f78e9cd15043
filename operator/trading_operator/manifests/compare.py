"""Whether a live object is what the plan wants."""

from collections.abc import Mapping
from typing import Any

from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.quantity import parse_quantity

_QUANTITY_MAPS = frozenset({"requests", "limits", "capacity"})
_QUANTITIES = frozenset({"sizeLimit"})
_LIST_KEYS = ("uid", "mountPath", "name")


def differs(wanted: Manifest, live: Manifest) -> bool:
    """Tell whether a field that the plan sets has another value in the live object.

    Server defaults and other writers' fields are not ours. Fields that left the plan show by the
    rendering annotation, which the plan sets on every object.
    """
    return _value_differs(wanted, live)


def _value_differs(wanted: Any, live: Any) -> bool:
    if _is_empty(wanted) and _is_empty(live):
        return False
    if isinstance(wanted, Mapping):
        return not isinstance(live, Mapping) or _mapping_differs(wanted, live)
    if isinstance(wanted, list):
        return not isinstance(live, list) or _list_differs(wanted, live)
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
    return _value_differs(wanted, live)


def _quantity_differs(wanted: Any, live: Any) -> bool:
    if live is None:
        return True
    try:
        return parse_quantity(wanted) != parse_quantity(live)
    except ValueError:
        return bool(wanted != live)


def _list_differs(wanted: list[Any], live: list[Any]) -> bool:
    key = next((key for key in _LIST_KEYS if _all_have(key, wanted)), None)
    if key is None:
        return len(wanted) != len(live) or any(map(_value_differs, wanted, live))
    found = {item[key]: item for item in live if isinstance(item, Mapping) and key in item}
    return any(item[key] not in found or _value_differs(item, found[item[key]]) for item in wanted)


def _all_have(key: str, items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) and key in item for item in items)
