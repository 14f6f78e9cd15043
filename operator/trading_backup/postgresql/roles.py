"""The roles of a set: restored only where the server has none of the same name."""

import re
from collections.abc import Collection, Iterator

# The last words of pg_dumpall.
COMPLETE = "-- PostgreSQL database cluster dump complete"
_STATEMENT = re.compile(r'^(?:CREATE|ALTER) ROLE (?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_$]*))[ ;]')


def keep_missing(script: str, existing: Collection[str]) -> str:
    """Return the script without the statements that would change a role which is there.

    A restored password would lock out who holds the server's own one.
    """
    return "".join(line for line in script.splitlines(True) if _role_of(line) not in existing)


def find_roles(script: str) -> list[str]:
    """Return the roles that a script makes."""
    return list(dict.fromkeys(_find_roles(script)))


def _find_roles(script: str) -> Iterator[str]:
    for line in script.splitlines():
        name = _role_of(line)
        if name is not None:
            yield name


def _role_of(line: str) -> str | None:
    match = _STATEMENT.match(line)
    if match is None:
        return None
    return match[1].replace('""', '"') if match[1] else match[2]
