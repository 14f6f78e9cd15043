"""A trading system's plan: the order of the policies."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from trading_operator.api.datastore import Datastore
from trading_operator.api.sharing import Isolation
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.digest import digest_of
from trading_operator.manifests.metadata import RENDERING_ANNOTATION, Manifest, Owner
from trading_operator.plan.address import refuse_shared_names
from trading_operator.plan.datastore import plan_datastore, plan_growth
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.gating import Gate, gate
from trading_operator.plan.graph import component_paths, start_waves
from trading_operator.plan.network import plan_network
from trading_operator.plan.prune import Needed, plan_prune
from trading_operator.plan.readiness import is_ready, template_revision
from trading_operator.plan.replacement import (
    find_replacement_block,
    pods_to_replace,
    previous_workload,
)
from trading_operator.plan.revision import system_revision
from trading_operator.plan.service import plan_service
from trading_operator.plan.types import (
    WORKLOAD_KINDS,
    ComponentPlan,
    Observed,
    OperandSettings,
    Plan,
    Ref,
    ref_of,
)
from trading_operator.plan.validation import find_block
from trading_operator.plan.volumes import plan_shared_volumes


@dataclass(frozen=True)
class Decision:
    """A component and whether its turn has come."""

    draft: Draft
    gate: Gate
    running: bool
    former: Ref | None = None  # workload of another kind that gives way now

    @property
    def goes(self) -> bool:
        """Tell whether the component is written now."""
        return self.gate.goes


def plan_trading_system(
    owner: Owner,
    spec: TradingSystemSpec,
    observed: Observed,
    now: datetime,
    operand: OperandSettings,
) -> Plan:
    """Return what should be there now; raises InvalidSpecError when the spec makes no sense."""
    refuse_shared_names(owner, spec)
    system = System(owner, spec, observed, operand)
    drafts = {name: draft for wave in start_waves(spec) for name, draft in _draft(system, wave)}
    decisions = tuple(_decide(system, draft, drafts, now) for draft in drafts.values())
    settled = all(each.goes and is_ready(observed, each.draft) for each in decisions)
    objects = tuple(map(seal, _objects(system, drafts, decisions, settled)))
    going = [decision.draft for decision in decisions if decision.goes]
    return Plan(
        objects=objects,
        generated_secrets=tuple(draft.secret for draft in going if draft.secret is not None),
        prune=_prune(system, decisions, map(ref_of, objects), settled),
        replace_pods=tuple(pods_to_replace(observed, going, drafts)),
        components=tuple(map(_component_plan, decisions)),
        revision=system_revision((d.name, d.revision, d.desired) for d in drafts.values()),
        generation=owner.generation,
        requeue_after=min(filter(None, (d.gate.requeue_after for d in decisions)), default=None),
    )


def seal(manifest: Manifest) -> Manifest:
    """Add the digest of the rendering, by which fields that left the plan are seen."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), RENDERING_ANNOTATION: digest_of(manifest)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _draft(system: System, names: Iterable[str]) -> Iterator[tuple[str, Draft]]:
    paths = component_paths(system.spec)
    for name in names:
        component = system.components[name]
        if isinstance(component, Datastore):
            yield name, plan_datastore(system, component, paths[name])
        else:
            yield name, plan_service(system, component, paths[name])


def _decide(system: System, draft: Draft, drafts: Mapping[str, Draft], now: datetime) -> Decision:
    observed, former = system.observed, previous_workload(system, draft)
    running = former is not None or draft.ref in observed.children
    decided = gate(draft, drafts, observed, now)
    block = find_block(system, draft)
    if block is not None:
        return Decision(draft, replace(decided, block=block, waiting_since=None), running)
    block = find_replacement_block(system, draft)
    if block is None or not decided.goes:
        return Decision(draft, decided, running)
    # An optional dependency was waited for: not once more when the former workload is gone.
    since = observed.waiting_since.get(draft.name)
    return Decision(draft, replace(decided, block=block, waiting_since=since), running, former)


def _objects(
    system: System,
    drafts: Mapping[str, Draft],
    decisions: Sequence[Decision],
    settled: bool,
) -> Iterator[Manifest]:
    """Yield what is written, once each: several components may use one config."""
    seen: set[Ref] = set()
    everything = (
        *plan_shared_volumes(system),
        *filter(None, (plan_growth(system, store) for store in system.spec.datastores)),
        *plan_network(system, drafts, keep_live=not settled and _changes(system, decisions)),
        *(manifest for decision in decisions for manifest in _turn(decision)),
    )
    for manifest in everything:
        ref = ref_of(manifest)
        if ref not in seen and ref not in system.observed.foreign:
            seen.add(ref)
            yield manifest


def _turn(decision: Decision) -> Iterable[Manifest]:
    if decision.goes:
        return decision.draft.objects
    # The address of a component that never ran can be there before it.
    service = decision.draft.service
    return () if decision.running or service is None else (service,)


def _changes(system: System, decisions: Iterable[Decision]) -> bool:
    """Tell whether anything runs that is not as planned, and may use what left the spec."""
    planned = {each.draft.ref: each.draft.revision for each in decisions}
    pods = {each.draft.name: each.draft.revision for each in decisions}
    observed = system.observed
    return (
        any(each.running and not each.goes for each in decisions)
        or any(pods.get(pod.component) != pod.revision for pod in observed.pods)
        or any(
            planned.get(ref) != template_revision(live)
            for ref, live in observed.children.items()
            if ref.kind in WORKLOAD_KINDS
        )
    )


def _prune(
    system: System,
    decisions: Sequence[Decision],
    planned: Iterable[Ref],
    settled: bool,
) -> tuple[Ref, ...]:
    off = system.spec.network.isolation is Isolation.OFF
    needed = Needed(
        held=frozenset(each.draft.name for each in decisions if each.running and not each.goes),
        settled=settled,
        revisions={each.draft.name: each.draft.revision for each in decisions},
        replaced=frozenset(each.former for each in decisions if each.former is not None),
        unwanted=frozenset({"NetworkPolicy"} if off else ()),
    )
    return plan_prune(system.owner, system.observed, planned, needed)


def _component_plan(decision: Decision) -> ComponentPlan:
    draft = decision.draft
    return ComponentPlan(
        name=draft.name,
        kind=draft.kind,
        workload=draft.ref,
        revision=draft.revision,
        desired=draft.desired,
        block=decision.gate.block,
        running=decision.running,
        degraded=decision.gate.degraded,
        missing=decision.gate.missing,
        waiting_since=decision.gate.waiting_since,
        findings=draft.findings,
    )
