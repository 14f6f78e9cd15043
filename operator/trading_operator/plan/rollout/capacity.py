"""Whether the quota of the namespace and the nodes of the cluster have room for a change."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from trading_operator.api.reasons import NO_NODE_FITS
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.quantity import parse_quantity
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import Quota

Amounts = Mapping[str, Decimal]
_SURGE = Decimal("0.25")  # what a Deployment makes in addition while it changes
# The short names of a quota mean requests.
_SHORT = {"cpu": "requests.cpu", "memory": "requests.memory"}


def find_shortages(
    system: System, drafts: Mapping[str, Draft], changed: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield the components for which a quota has no room, and what is missing."""
    capacity = system.observed.capacity
    if capacity is None:
        return
    for quota in capacity.quotas:
        left = _left(quota)
        for name, draft in drafts.items():
            if name in changed:
                taken = _taken(system, draft)
                yield from ((name, text) for text in _shortages(draft, taken, left, quota))


def find_misfits(
    system: System, drafts: Mapping[str, Draft], changed: frozenset[str]
) -> Iterator[str]:
    """Yield a warning for each component whose pod fits on no node that is there now.

    A warning: an autoscaler may bring a larger node when the pod waits for one.
    """
    capacity = system.observed.capacity
    if capacity is None or not capacity.nodes:
        return
    for name, draft in drafts.items():
        requested = _requests(draft.workload["spec"]["template"])
        if name in changed and not any(_fits(requested, node) for node in capacity.nodes):
            told = ", ".join(f"{each} {amount.normalize():f}" for each, amount in requested.items())
            yield f"{NO_NODE_FITS}: {draft.path}.resources: no node of now has room for {told}"


def _left(quota: Quota) -> dict[str, Decimal]:
    left = {}
    for name, hard in quota.hard.items():
        try:
            used = parse_quantity(quota.used.get(name, "0"))
            left[_SHORT.get(name, name)] = parse_quantity(hard) - used
        except ValueError:
            continue  # a form that this operator does not count in
    return left


class Taken(NamedTuple):
    """What a component's change takes of a quota beside what it has now."""

    height: Amounts  # while it changes, new pods beside old ones
    after: Amounts


def _shortages(draft: Draft, taken: Taken, left: dict[str, Decimal], quota: Quota) -> Iterator[str]:
    """Yield what is missing; components change in turn, and each leaves room to the next one."""
    for name, amount in taken.height.items():
        if name not in left:
            continue
        if amount > max(left[name], Decimal(0)):
            yield (
                f"{draft.path}: the change needs {name} {amount.normalize():f} more, and "
                f"ResourceQuota {quota.name} has {left[name].normalize():f} left; raise it, or "
                "lower resources.requests"
            )
        left[name] -= taken.after[name]


def _taken(system: System, draft: Draft) -> Taken:
    live = system.observed.children.get(draft.ref)
    count = Decimal(draft.desired)
    wanted = _counted(draft.workload["spec"]["template"])
    if live is None:
        whole = {name: amount * count for name, amount in wanted.items()}
        return Taken(whole, whole)
    there = Decimal(live["spec"].get("replicas", 1))
    before = _counted(live["spec"]["template"])
    had = {name: before.get(name, Decimal(0)) for name in wanted}
    extra = Decimal(math.ceil(count * _SURGE)) if _surges(draft.workload) else Decimal(0)
    after = {name: amount * count - had[name] * there for name, amount in wanted.items()}
    # At first all old pods are there, at last all but the last of the new ones.
    height = {
        name: max(amount * extra, after[name] + had[name] * extra, Decimal(0))
        for name, amount in wanted.items()
    }
    return Taken(height, after)


def _surges(workload: Manifest) -> bool:
    rolling = (workload["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    return bool(rolling.get("maxSurge"))


def _counted(template: Manifest) -> Amounts:
    """Return what one pod counts for in a quota, by the quota's names."""
    (container, *_) = template["spec"]["containers"]
    resources = container.get("resources") or {}
    found: dict[str, Decimal] = {"pods": Decimal(1)}
    for name, amount in _requests(template).items():
        found[f"requests.{name}"] = amount
    for name, text in (resources.get("limits") or {}).items():
        found[f"limits.{name}"] = parse_quantity(text)
    return found


def _requests(template: Manifest) -> dict[str, Decimal]:
    """Return what one pod requests; a limit alone is a request as well."""
    (container, *_) = template["spec"]["containers"]
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: parse_quantity(text) for name, text in asked.items()}


def _fits(requested: Amounts, node: Mapping[str, str]) -> bool:
    try:
        return all(
            amount <= parse_quantity(node.get(name, "0")) for name, amount in requested.items()
        )
    except ValueError:
        return True  # a form that this operator does not count in
