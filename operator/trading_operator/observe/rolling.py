"""Why the pods of a component are replaced: what of its pod template was changed."""

from collections.abc import Iterator
from typing import Any

from trading_operator.api.reasons import ROLLING_COMPONENT
from trading_operator.manifests.compare import Item, Path, describe_path, find_differences
from trading_operator.manifests.metadata import REVISION_ANNOTATION, VERSION, Manifest
from trading_operator.observe.event_text import NORMAL, EventText
from trading_operator.plan.observed import Observed
from trading_operator.plan.types import Applied

_NAMED_FIELDS = 6
_FOLLOWING = frozenset({REVISION_ANNOTATION, VERSION})  # they change with what else does
_SHOWN = frozenset({"image", "replicas"})  # fields whose values are told; those of none else are


def rolling_events(applied: Applied, observed: Observed) -> Iterator[EventText]:
    """Yield one event for each component whose pod template this pass has changed."""
    for component in applied.plan.components:
        before = observed.children.get(component.workload)
        after = applied.children.get(component.workload)
        if before is not None and after is not None and after is not before:
            told = describe_change(before, after)
            if told:
                yield EventText(NORMAL, ROLLING_COMPONENT, told, component.name)


def describe_change(before: Manifest, after: Manifest) -> str:
    """Return what differs between two workloads' pod templates, empty when nothing does.

    Fields are named, and values told only of images and replica counts: any other may be secret.
    """
    old, new = _rolled(before), _rolled(after)
    paths = dict.fromkeys((*find_differences(new, old), *find_differences(old, new)))
    if not any(path[0] == "template" for path in paths):
        return ""  # more or fewer pods alone replace none
    fields = [path for path in paths if _FOLLOWING.isdisjoint(path)]
    fields.sort(key=lambda path: path[-1] not in _SHOWN)
    told = list(dict.fromkeys(_describe(path, old, new) for path in fields))
    if not told:
        return "the content of a Secret or ConfigMap that it reads changed"
    more = f"; and {len(told) - _NAMED_FIELDS} more" if len(told) > _NAMED_FIELDS else ""
    return "; ".join(told[:_NAMED_FIELDS]) + more


def _rolled(workload: Manifest) -> Manifest:
    spec = workload["spec"]
    return {name: spec[name] for name in ("template", "replicas") if name in spec}


def _describe(path: Path, old: Manifest, new: Manifest) -> str:
    field = path[-1]
    if field in _SHOWN:
        return f"{field} {_value(old, path)} -> {_value(new, path)}"
    if "env" in path[:-1]:
        variable = path[path.index("env") + 1]
        return f"env {variable.value if isinstance(variable, Item) else variable} changed"
    within = path[path.index("spec") + 1 :] if "spec" in path else path[1:]
    if len(within) > 2 and within[0] == "containers":
        within = within[2:]  # the component's only one
    return f"{describe_path(within)} changed"


def _value(manifest: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, Item):
            found = (each for each in manifest or () if each.get(step.key) == step.value)
            manifest = next(found, None)
        else:
            manifest = (manifest or {}).get(step)
    return manifest
