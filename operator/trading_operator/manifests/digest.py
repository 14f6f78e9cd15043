"""Short stable names for contents."""

import hashlib
import json
from typing import Any

DIGEST_LENGTH = 10


def digest_of(value: Any) -> str:
    """Return the digest of a JSON value; equal values have equal digests."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
