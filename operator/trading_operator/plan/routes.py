"""Which service the paths of a host lead to, over the whole system."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import Service

_SLASH = "%2f"


class _Route(NamedTuple):
    """What an ingress controller looks at; a slash at the end makes no other path of it."""

    class_name: str | None
    host: str
    path: str


def refuse_shared_routes(services: Sequence[Service]) -> None:
    """Raise InvalidSpecError when two services want one path of a host, or one wants it twice."""
    taken: dict[_Route, str] = {}
    for where, name, route in _routes(services):
        if _SLASH in route.path.lower():
            raise InvalidSpecError(
                where, f"{route.path} hides a slash", f"write it without {_SLASH}"
            )
        if route in taken:
            raise InvalidSpecError(
                where,
                f"{route.host}{route.path} of {name} leads to {taken[route]} already",
                "give one of them another path or host, or another ingress class",
            )
        taken[route] = name


def _routes(services: Sequence[Service]) -> Iterator[tuple[str, str, _Route]]:
    for at, service in enumerate(services):
        if service.ingress is None:
            continue
        for host_at, each in enumerate(service.ingress.hosts):
            for path_at, path in enumerate(each.paths):
                where = f"services[{at}].ingress.hosts[{host_at}].paths[{path_at}]"
                folder = path.rstrip("/") or "/"
                yield where, service.name, _Route(service.ingress.class_name, each.host, folder)
