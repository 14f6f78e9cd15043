"""What still runs as it was before: it may use what left the spec."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import Observed
from trading_operator.plan.prune import component_of
from trading_operator.plan.readiness import may_run, template_revision
from trading_operator.plan.rendering import template_ports
from trading_operator.plan.stored_revision import newest_first, unpack
from trading_operator.plan.types import WORKLOAD_KINDS, Manifest


@dataclass(frozen=True)
class Turnover:
    """The components of which anything runs that is not as planned, or that left the spec.

    `former_ports` are the ports of what runs of them, as name and number.
    """

    former_ports: Mapping[str, frozenset[tuple[str, int]]]

    @property
    def outdated(self) -> frozenset[str]:
        """Return the names of those components."""
        return frozenset(self.former_ports)


def find_turnover(system: System, drafts: Mapping[str, Draft]) -> Turnover:
    """Return what runs of each component that is not, or not only, as planned."""
    observed = system.observed
    running: dict[str, set[str]] = {}
    for component, revision in _running(observed):
        if component not in drafts or drafts[component].revision != revision:
            running.setdefault(component, set()).add(revision)
    return Turnover(
        {
            component: frozenset(
                port
                for template in _templates(observed, component, revisions)
                for port in template_ports(template).items()
            )
            for component, revisions in running.items()
        }
    )


def _running(observed: Observed) -> Iterator[tuple[str, str]]:
    """Yield the revisions that run or may run at any time, by component."""
    for pod in filter(may_run, observed.pods):
        yield pod.component, pod.revision
    for ref, live in observed.children.items():
        component = component_of(live)
        if ref.kind in WORKLOAD_KINDS and component and live["spec"].get("replicas") != 0:
            yield component, template_revision(live)


def _templates(observed: Observed, component: str, revisions: set[str]) -> Iterator[Manifest]:
    """Yield the pod templates of a component's former revisions, as far as they are known."""
    sought = set(revisions)
    for ref, live in observed.children.items():
        if ref.kind in WORKLOAD_KINDS and component_of(live) == component:
            sought.discard(template_revision(live))
            yield live["spec"]["template"]
    for stored in newest_first(observed):
        if not sought:
            return
        rendering = unpack(stored).get(component)
        if rendering is not None and rendering.revision in sought:
            sought.discard(rendering.revision)
            yield rendering.template
