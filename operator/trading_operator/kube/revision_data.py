"""The data of a revision as the API server itself would write it."""

import orjson

from trading_operator.plan.types import Manifest

# The API server compares the bytes of immutable data and writes it as Go does: sorted, and with
# these characters escaped. In JSON they occur within texts alone.
_ESCAPED = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def with_canonical_data(manifest: Manifest) -> Manifest:
    """Return the manifest with data that stays the same when the API server writes it again."""
    text = orjson.dumps(manifest["data"], option=orjson.OPT_SORT_KEYS)
    for plain, escaped in _ESCAPED.items():
        text = text.replace(plain.encode(), escaped.encode())
    return {**manifest, "data": orjson.Fragment(text)}
