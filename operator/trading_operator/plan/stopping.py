"""The order of a stop: a component stops once nothing that may use it has a pod left.

Used by hibernation and by deletion. Nothing is deleted here but workloads that no component has
any more; pods go by the grace period that their service asked for, never by force.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from trading_operator.api.reasons import STOPPING, WAITING_FOR_DEPENDANTS
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.draft import Draft
from trading_operator.plan.graph import used_by
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.prune import component_of
from trading_operator.plan.readiness import component_pods, may_run, template_revision
from trading_operator.plan.types import WORKLOAD_KINDS, Block
from trading_operator.plan.volumes import has_data

_NAMED_PODS = 3


@dataclass(frozen=True)
class Stopping:
    """How far an ordered stop has come.

    `scale` names the components that may have no pods from now on, stopped ones among them, in
    start order. `delete` lists workloads whose turn has come and that no component has any more:
    of components that left the spec, or of the kind that a component had before. `blocks` says of
    every component that has not stopped why: whom it waits for, or which pods still go.
    """

    scale: tuple[str, ...]
    delete: tuple[Ref, ...]
    blocks: Mapping[str, Block]

    @property
    def done(self) -> bool:
        """Tell whether nothing of the system runs any more."""
        return not self.blocks and not self.delete


def plan_stopping(
    drafts: Mapping[str, Draft], observed: Observed, held: Mapping[str, Block] | None = None
) -> Stopping:
    """Return whose turn to stop has come; `drafts` are all components of the spec by name.

    `held` are components that somebody else still needs, and what is told of those.
    """
    held = held or {}
    left = _left_components(drafts, observed)
    running = {name for name in (*drafts, *left) if still_runs(observed, name)}
    users = {name: _users(name, drafts, left) & running for name in (*drafts, *left)}
    blocks = {name: _block(name, users[name], observed) for name in users if name in running}
    blocks |= {name: block for name, block in held.items() if not users.get(name)}
    users |= {name: {*users.get(name, ()), name} for name in held}
    return Stopping(
        scale=tuple(name for name in drafts if not users[name]),
        delete=tuple(_surplus(drafts, observed, users)),
        blocks=blocks,
    )


def left_in_turn(drafts: Mapping[str, Draft], observed: Observed) -> tuple[Ref, ...]:
    """Return the workloads of components that left the spec and that no other such one may use.

    Whether a component of the spec still uses them is not looked at.
    """
    left = _left_components(drafts, observed)
    running = {name for name in left if still_runs(observed, name)}
    users = {name: _users(name, {}, left) & running for name in left}
    users |= {name: {name} for name in drafts}
    return tuple(_surplus({}, observed, users))


def stopped_workload(draft: Draft, observed: Observed) -> Manifest | None:
    """Return a component's workload without pods; None when it has none to be scaled.

    A stop changes nothing else: a change that waits for its turn waits until the next start.
    """
    live = observed.children.get(draft.ref)
    if live is None:
        return None
    planned = template_revision(live) == draft.revision
    spec = draft.workload["spec"] if planned else live["spec"]
    return {**draft.workload, "spec": {**spec, "replicas": 0}}


def still_runs(observed: Observed, component: str) -> bool:
    """Tell whether a component has a pod, a terminating one among them, or may yet make one."""
    return bool(_pods_left(observed, component)) or any(
        _makes_pods(live) for _, live in _workloads(observed, component)
    )


def _users(name: str, drafts: Mapping[str, Draft], left: Mapping[str, bool]) -> set[str]:
    """Return who may use a component, directly or not.

    Of a component that left the spec the edges are gone with it: one with a volume of its own is
    taken for somebody's database, any other for a user of everything.
    """
    if name in left:
        return {*drafts, *(each for each in left if not left[each])} if left[name] else set()
    return {*used_by(name, drafts), *(each for each in left if not left[each])}


def _left_components(drafts: Mapping[str, Draft], observed: Observed) -> dict[str, bool]:
    """Return the components that left the spec and still have a workload or pods, and whether
    each has a volume of its own.
    """
    pods = (pod.component for pod in observed.pods if may_run(pod))
    found = {component: False for component in pods if component not in drafts}
    for ref, live in observed.children.items():
        component = component_of(live) or ""
        if ref.kind in WORKLOAD_KINDS and component not in drafts:
            found[component] = found.get(component, False) or has_data(live)
    return found


def _surplus(
    drafts: Mapping[str, Draft], observed: Observed, users: Mapping[str, set[str]]
) -> Iterator[Ref]:
    wanted = {draft.ref for draft in drafts.values()}
    for ref, live in sorted(observed.children.items()):
        if ref.kind in WORKLOAD_KINDS and ref not in wanted and not users[component_of(live) or ""]:
            yield ref


def _block(name: str, users: Iterable[str], observed: Observed) -> Block:
    if users:
        return Block(WAITING_FOR_DEPENDANTS, f"stops after {', '.join(sorted(users))}")
    pods = _pods_left(observed, name)
    if not pods:
        return Block(STOPPING, "stops")
    named = ", ".join(pods[:_NAMED_PODS]) + (", …" if len(pods) > _NAMED_PODS else "")
    return Block(STOPPING, f"stops: {len(pods)} pods are still there ({named})")


def _pods_left(observed: Observed, component: str) -> list[str]:
    return [pod.name for pod in component_pods(observed, component) if may_run(pod)]


def _workloads(observed: Observed, component: str) -> Iterator[tuple[Ref, Manifest]]:
    for ref, live in observed.children.items():
        if ref.kind in WORKLOAD_KINDS and component_of(live) == component:
            yield ref, live


def _makes_pods(live: Manifest) -> bool:
    """Tell whether a workload wants pods, or its controller does not know yet that it does not."""
    seen = live.get("status", {}).get("observedGeneration", 0)
    behind = seen < live["metadata"].get("generation", 0)
    return bool(behind or live["spec"].get("replicas", 1))
