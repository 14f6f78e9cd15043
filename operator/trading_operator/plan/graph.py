"""The graph of the components: what starts after what."""

from collections.abc import Iterator, Mapping

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.draft import Draft


def component_paths(spec: TradingSystemSpec) -> Mapping[str, str]:
    """Return where each component stands in the spec, by name; raises for a name used twice."""
    paths: dict[str, str] = {}
    for path, name in _named(spec):
        if name in paths:
            raise InvalidSpecError(
                f"{path}.name", f"{name} is already the name of {paths[name]}", "rename one of them"
            )
        paths[name] = path
    return paths


def start_waves(spec: TradingSystemSpec) -> tuple[tuple[str, ...], ...]:
    """Return the components in waves: each depends on earlier waves alone.

    Raises InvalidSpecError for an unknown name or a cycle. Optional edges count as well: a
    component that may do without another still starts after it.
    """
    paths = component_paths(spec)
    open_edges = _edges(spec, paths)
    waves: list[tuple[str, ...]] = []
    while open_edges:
        wave = tuple(name for name, needed in open_edges.items() if not needed & open_edges.keys())
        if not wave:
            raise _cycle_error(spec, paths, open_edges)
        waves.append(wave)
        open_edges = {name: needed for name, needed in open_edges.items() if name not in wave}
    return tuple(waves)


def required_by(draft: Draft, drafts: Mapping[str, Draft]) -> tuple[str, ...]:
    """Return all that a component requires, directly or through others, in start order."""
    found: set[str] = set()
    open_ends = [draft]
    while open_ends:
        needed = {d.name for d in open_ends.pop().dependencies if d.required} - found
        found |= needed
        open_ends.extend(drafts[name] for name in needed)
    return tuple(name for name in drafts if name in found)


def used_by(component: str, drafts: Mapping[str, Draft]) -> frozenset[str]:
    """Return all that use a component, required or not, directly or through others."""
    found: set[str] = set()
    open_ends = [component]
    while open_ends:
        needed = open_ends.pop()
        users = {
            draft.name
            for draft in drafts.values()
            if any(dependency.name == needed for dependency in draft.dependencies)
        }
        open_ends.extend(users - found)
        found |= users
    return frozenset(found)


def _named(spec: TradingSystemSpec) -> Iterator[tuple[str, str]]:
    yield from ((f"datastores[{at}]", store.name) for at, store in enumerate(spec.datastores))
    yield from ((f"services[{at}]", service.name) for at, service in enumerate(spec.services))


def _edges(spec: TradingSystemSpec, paths: Mapping[str, str]) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for component in spec.components:
        for at, dependency in enumerate(component.depends_on):
            if dependency.name not in paths:
                raise InvalidSpecError(
                    f"{paths[component.name]}.dependsOn[{at}].name",
                    f"{component.name} depends on the unknown {dependency.name}",
                    "add it to datastores or services, or mend the name",
                )
        edges[component.name] = {dependency.name for dependency in component.depends_on}
    return edges


def _cycle_error(
    spec: TradingSystemSpec, paths: Mapping[str, str], edges: Mapping[str, set[str]]
) -> InvalidSpecError:
    cycle = _find_cycle(edges)
    first, second = cycle[0], cycle[1]
    component = next(c for c in spec.components if c.name == first)
    at = next(i for i, dependency in enumerate(component.depends_on) if dependency.name == second)
    return InvalidSpecError(
        f"{paths[first]}.dependsOn[{at}]",
        f"the dependencies form a cycle: {' -> '.join(cycle)}",
        "remove one of these dependencies",
    )


def _find_cycle(edges: Mapping[str, set[str]]) -> list[str]:
    """Return a cycle, its first name again at the end; every node of `edges` leads to one."""
    trail = [min(edges)]
    while True:
        following = min(edges[trail[-1]] & edges.keys())
        if following in trail:
            return [*trail[trail.index(following) :], following]
        trail.append(following)
