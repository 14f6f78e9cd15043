"""StatefulSets that differ in what cannot be changed: they are made anew around their pods."""

from collections.abc import Iterable

from trading_operator.manifests.compare import differs
from trading_operator.plan.observed import Observed, ref_of
from trading_operator.plan.types import STATEFUL_SET, Manifest

_IMMUTABLE = ("serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates")


def plan_recreations(
    objects: Iterable[Manifest], observed: Observed
) -> tuple[tuple[Manifest, ...], tuple[Manifest, ...]]:
    """Return the objects that can be written, and the StatefulSets that must be made anew.

    Those are deleted without their pods now, and written by the pass that finds them gone.
    """
    written: list[Manifest] = []
    anew: list[Manifest] = []
    for manifest in objects:
        live = observed.children.get(ref_of(manifest))
        fixed = live is not None and manifest["kind"] == STATEFUL_SET and _is_stuck(manifest, live)
        (anew if fixed else written).append(manifest)
    return tuple(written), tuple(anew)


def _is_stuck(wanted: Manifest, live: Manifest) -> bool:
    if "deletionTimestamp" in live["metadata"]:
        return False  # on its way out already
    return any(_field_differs(wanted["spec"], live["spec"], name) for name in _IMMUTABLE)


def _field_differs(wanted: Manifest, live: Manifest, name: str) -> bool:
    if bool(wanted.get(name)) != bool(live.get(name)):
        return True
    return name in wanted and differs({name: wanted[name]}, live)
