"""Short stable names for contents."""

import hashlib
from typing import Any

import orjson

DIGEST_LENGTH = 10


def digest_of(value: Any) -> str:
    """Return the digest of a JSON value; equal values have equal digests."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:DIGEST_LENGTH]
