"""A trading system's plan: the order of the policies."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from trading_operator.api.datastore import Datastore
from trading_operator.api.sharing import Isolation
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import Manifest, Owner
from trading_operator.plan.address import refuse_shared_names
from trading_operator.plan.claims import plan_claims
from trading_operator.plan.datastore import plan_datastore
from trading_operator.plan.decision import plan_component
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.graph import component_paths, start_waves
from trading_operator.plan.hibernation import plan_waking
from trading_operator.plan.leaving import find_left
from trading_operator.plan.network import plan_network
from trading_operator.plan.notes import add_notes, notes_due
from trading_operator.plan.pausing import withhold
from trading_operator.plan.prune import Needed, plan_prune
from trading_operator.plan.recreation import plan_recreations
from trading_operator.plan.rendering import keep_renderings
from trading_operator.plan.replacement import abandoned_pods, pods_to_replace
from trading_operator.plan.routes import refuse_shared_routes
from trading_operator.plan.sealing import seal
from trading_operator.plan.service import plan_service
from trading_operator.plan.stranded import stranded_pods
from trading_operator.plan.trading_state import plan_notice, plan_trading_state
from trading_operator.plan.turns import Turns, take_turns
from trading_operator.plan.types import Observed, OperandSettings, Plan, Ref, ref_of


def plan_trading_system(
    owner: Owner,
    spec: TradingSystemSpec,
    observed: Observed,
    now: datetime,
    operand: OperandSettings,
) -> Plan:
    """Return what should be there now; raises InvalidSpecError when the spec makes no sense."""
    refuse_shared_names(owner, spec)
    refuse_shared_routes(spec.services)
    system = System(owner, spec, observed, operand)
    kept = keep_renderings(system, plan_drafts(system))
    drafts = plan_waking(system, kept.drafts)
    turns = take_turns(system, drafts, now)
    # The revision needs no seal: its name tells what is in it.
    objects = (kept.revision, *map(seal, _objects(system, drafts, turns)))
    written, anew = plan_recreations(objects, observed)
    plan = Plan(
        objects=written,
        recreate=anew,
        generated_secrets=tuple(filter(None, (draft.secret for draft in turns.going))),
        prune=tuple(dict.fromkeys((*_prune(system, turns, map(ref_of, objects)), *turns.surplus))),
        replace_pods=(
            *pods_to_replace(observed, turns.startable, drafts),
            *abandoned_pods(observed, turns.staying),
            *stranded_pods(system, drafts),
        ),
        components=tuple(
            add_notes(system, each.draft, plan_component(each), now) for each in turns.decisions
        ),
        revision=kept.digest,
        rendering=ref_of(kept.revision),
        generation=owner.generation,
        requeue_after=_soonest(
            notes_due(system, now), *(each.gate.requeue_after for each in turns.decisions)
        ),
        trading_state=plan_notice(system),
        left=find_left(system, drafts),
    )
    return withhold(plan, observed) if spec.paused else plan


def plan_drafts(system: System) -> Mapping[str, Draft]:
    """Return every component as the spec wants it, in start order."""
    paths = component_paths(system.spec)
    return {
        name: _draft(system, name, paths[name])
        for wave in start_waves(system.spec)
        for name in wave
    }


def _draft(system: System, name: str, path: str) -> Draft:
    component = system.components[name]
    if isinstance(component, Datastore):
        return plan_datastore(system, component, path)
    return plan_service(system, component, path)


def _soonest(*waits: timedelta | None) -> timedelta | None:
    return min((wait for wait in waits if wait is not None), default=None)


def _objects(system: System, drafts: Mapping[str, Draft], turns: Turns) -> Iterator[Manifest]:
    """Yield what is written, once each: several components may use one config."""
    seen: set[Ref] = set()
    everything = (
        *plan_trading_state(system),
        *plan_claims(system, drafts.values()),
        *plan_network(system, drafts),
        *(manifest for decision in turns.decisions for manifest in decision.objects),
    )
    for manifest in everything:
        ref = ref_of(manifest)
        if ref not in seen and ref not in system.observed.foreign:
            seen.add(ref)
            yield manifest


def _prune(system: System, turns: Turns, planned: Iterable[Ref]) -> tuple[Ref, ...]:
    decisions = turns.decisions
    off = system.spec.network.isolation is Isolation.OFF
    needed = Needed(
        # A component that hibernates keeps what its next start may need.
        held=frozenset(e.draft.name for e in decisions if e.running and (e.stops or not e.goes)),
        settled=turns.settled,
        revisions={each.draft.name: each.draft.revision for each in decisions},
        replaced=frozenset(each.former for each in decisions if each.former is not None),
        leaving=frozenset() if system.spec.hibernated else frozenset(turns.surplus),
        unwanted=frozenset({"NetworkPolicy"} if off else ()),
    )
    return plan_prune(system.owner, system.observed, planned, needed)
