"""A trading system's plan: the order of the policies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from trading_operator.api.datastore import Datastore
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.digest import digest_of
from trading_operator.manifests.metadata import RENDERING_ANNOTATION, Manifest, Owner
from trading_operator.plan.address import refuse_shared_names
from trading_operator.plan.datastore import plan_datastore, plan_growth
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.gating import Gate, gate
from trading_operator.plan.graph import component_paths, start_waves
from trading_operator.plan.network import plan_network
from trading_operator.plan.prune import plan_prune
from trading_operator.plan.replacement import find_replacement_block, pods_to_replace
from trading_operator.plan.revision import system_revision
from trading_operator.plan.service import plan_service
from trading_operator.plan.types import ComponentPlan, Observed, OperandSettings, Plan, Ref, ref_of
from trading_operator.plan.validation import find_block
from trading_operator.plan.volumes import plan_shared_volumes


@dataclass(frozen=True)
class Decision:
    """A component and whether its turn has come."""

    draft: Draft
    gate: Gate
    running: bool

    @property
    def goes(self) -> bool:
        """Tell whether the component is written now."""
        return self.gate.block is None


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
    objects = tuple(map(seal, _objects(system, drafts, decisions)))
    going = [decision.draft for decision in decisions if decision.goes]
    return Plan(
        objects=objects,
        generated_secrets=tuple(draft.secret for draft in going if draft.secret is not None),
        prune=_prune(system, drafts, decisions, map(ref_of, objects)),
        replace_pods=tuple(pods_to_replace(observed, going)),
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
    block = find_block(system, draft) or find_replacement_block(system, draft)
    decided = gate(draft, drafts, system.observed, now)
    if block is not None:
        decided = Gate(block, None, decided.degraded, decided.missing)
    return Decision(draft, decided, running=draft.ref in system.observed.children)


def _objects(
    system: System, drafts: Mapping[str, Draft], decisions: Iterable[Decision]
) -> Iterator[Manifest]:
    """Yield what is written, once each: several components may use one config."""
    seen: set[Ref] = set()
    everything = (
        *plan_shared_volumes(system),
        *filter(None, (plan_growth(system, store) for store in system.spec.datastores)),
        *plan_network(system, drafts),
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


def _prune(
    system: System,
    drafts: Mapping[str, Draft],
    decisions: Iterable[Decision],
    planned: Iterable[Ref],
) -> tuple[Ref, ...]:
    held = frozenset(d.draft.name for d in decisions if d.running and not d.goes)
    revisions = {name: draft.revision for name, draft in drafts.items()}
    return plan_prune(system.owner, system.observed, planned, held, revisions)


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
