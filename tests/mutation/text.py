"""Strings that match a pattern."""

import importlib
import re
from collections.abc import Callable
from random import Random
from typing import Any

# The standard library's own reading of a pattern; it has no public name.
_PARSER: Any = importlib.import_module("re._parser")
_FIRST, _LAST = 0x20, 0x7E
_MOST = 12


def matches(pattern: str, text: str) -> bool:
    """Tell whether the API server would say that the text matches."""
    # Python's $ also matches before a line's end, the API server's does not.
    return re.search(pattern, text) is not None and not text.endswith("\n")


def sample(rng: Random, pattern: str) -> str:
    """Return a text that matches the pattern."""
    return "".join(_sample_all(rng, _PARSER.parse(pattern)))


def _sample_all(rng: Random, parsed: Any) -> list[str]:
    return [_sample_one(rng, str(code), value) for code, value in parsed]


def _sample_one(rng: Random, code: str, value: Any) -> str:
    if code not in _SAMPLERS:
        raise NotImplementedError(f"the sampler does not know {code}: teach it")
    return _SAMPLERS[code](rng, value)


def _repeat(rng: Random, value: Any) -> str:
    least, most, inner = value
    times = rng.randint(least, max(least, min(int(most), _MOST)))
    return "".join("".join(_sample_all(rng, inner)) for _ in range(times))


_SAMPLERS: dict[str, Callable[[Random, Any], str]] = {
    "LITERAL": lambda rng, value: chr(value),
    "AT": lambda rng, value: "",
    "IN": lambda rng, value: rng.choice(_characters(value)),
    "NOT_LITERAL": lambda rng, value: "a" if value != ord("a") else "b",
    "ANY": lambda rng, value: "a",
    "SUBPATTERN": lambda rng, value: "".join(_sample_all(rng, value[3])),
    "BRANCH": lambda rng, value: "".join(_sample_all(rng, rng.choice(value[1]))),
    "MAX_REPEAT": _repeat,
}


def _characters(ranges: Any) -> list[str]:
    found: set[int] = set()
    negated = False
    for code, value in ranges:
        if str(code) == "NEGATE":
            negated = True
        elif str(code) == "LITERAL":
            found.add(value)
        elif str(code) == "RANGE":
            found.update(range(value[0], value[1] + 1))
        else:
            raise NotImplementedError(f"the sampler does not know {code} in a set: teach it")
    if negated:
        found = set(range(_FIRST, _LAST + 1)) - found
    return [chr(each) for each in sorted(found)]
