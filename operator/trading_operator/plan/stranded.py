"""Pods that keep each other from every node: none of them runs, and each must be where one runs.

Pods that share a ReadWriteOnce volume are required on one node. A drain evicts them all, and their
successors look for a node while the last old pod still holds the drained one. When that pod is gone
the first of them may go anywhere, but the scheduler does not look at them again for five minutes:
the end of a pod is no event that it takes for a chance of theirs. A new pod is looked at at once.
"""

from collections.abc import Iterator, Mapping

from trading_operator.api.service import Service
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import PodFacts
from trading_operator.plan.placing import node_group
from trading_operator.plan.readiness import component_pods, may_run

_UNSCHEDULABLE = "Unschedulable"
# What the scheduler says of a required affinity; any other reason no new pod would mend.
_AFFINITY = "pod affinity rules"


def stranded_pods(system: System, drafts: Mapping[str, Draft]) -> Iterator[str]:
    """Yield one pod of each group that waits for itself, to be made anew."""
    for members in _groups(system, drafts).values():
        pods = [pod for name in members for pod in component_pods(system.observed, name)]
        living = [pod for pod in pods if may_run(pod)]
        if living and all(map(_waits_for_the_others, living)):
            yield min(pod.name for pod in living)


def _groups(system: System, drafts: Mapping[str, Draft]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in drafts:
        component = system.components[name]
        if isinstance(component, Service):
            group = node_group(system.spec, component)
            if group is not None:
                groups.setdefault(group, []).append(name)
    return groups


def _waits_for_the_others(pod: PodFacts) -> bool:
    return not pod.deleting and pod.reason == _UNSCHEDULABLE and _AFFINITY in pod.message
