"""Keeps a module that is installed from being imported where it is of no use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Let imports of a module fail as if it were not installed, unless it was imported before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = cast("ModuleType", None)  # which Python takes for "there is none"
    try:
        yield
    finally:
        del sys.modules[name]
