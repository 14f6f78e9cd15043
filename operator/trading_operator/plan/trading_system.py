"""A trading system's plan: the order of the policies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from trading_operator.api.sharing import Isolation
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import Manifest, Owner
from trading_operator.plan.address import refuse_shared_names
from trading_operator.plan.claims import plan_claims
from trading_operator.plan.decision import plan_component
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.hibernation import plan_waking
from trading_operator.plan.leaving import find_left
from trading_operator.plan.network import plan_network
from trading_operator.plan.notes import add_notes, notes_due
from trading_operator.plan.observed import Observed, Ref, ref_of
from trading_operator.plan.pausing import withhold
from trading_operator.plan.prune import Needed, plan_prune
from trading_operator.plan.recreation import plan_recreations
from trading_operator.plan.replacement import abandoned_pods, pods_to_replace
from trading_operator.plan.restoring import restrain
from trading_operator.plan.rollout.clock import soonest
from trading_operator.plan.rollout.commands import handled_commands
from trading_operator.plan.rollout.course import Course, set_course
from trading_operator.plan.rollout.holding import LOOK_AGAIN, held_components, hold_component
from trading_operator.plan.rollout.records import Records, build_records
from trading_operator.plan.rollout.telling import plan_dry_run, plan_rollout
from trading_operator.plan.routes import refuse_shared_routes
from trading_operator.plan.sealing import seal
from trading_operator.plan.stranded import stranded_pods
from trading_operator.plan.trading_state import (
    plan_model_notice,
    plan_notice,
    plan_trading_state,
)
from trading_operator.plan.turns import Turns, take_turns
from trading_operator.plan.types import ComponentPlan, OperandSettings, Plan


def plan_trading_system(
    owner: Owner,
    spec: TradingSystemSpec,
    observed: Observed,
    now: datetime,
    operand: OperandSettings,
) -> Plan:
    """Return what should be there now; raises InvalidSpecError when the spec makes no sense."""
    spec, observed = restrain(owner, spec, observed)
    refuse_shared_names(owner, spec)
    refuse_shared_routes(spec.services)
    course = set_course(System(owner, spec, observed, operand), now)
    records = build_records(course)
    system = course.kept_up.system
    drafts = plan_waking(system, course.kept_up.drafts)
    turns = take_turns(system, drafts, now, proven=course.is_proven)
    # A revision needs no seal: its name tells what is in it.
    objects = (records.in_force, *map(seal, _objects(system, drafts, turns)))
    written, anew = plan_recreations(objects, observed)
    plan = Plan(
        objects=written,
        recreate=anew,
        generated_secrets=tuple(filter(None, (draft.secret for draft in turns.going))),
        verdicts=records.verdicts,
        prune=tuple(dict.fromkeys((*_prune(system, turns, objects, records), *turns.surplus))),
        replace_pods=(
            *pods_to_replace(observed, turns.startable, drafts),
            *abandoned_pods(observed, turns.staying),
            *stranded_pods(system, drafts),
        ),
        components=tuple(_components(course, turns, now)),
        revision=course.kept_up.digest,
        rendering=ref_of(records.in_force),
        rollout=plan_rollout(course),
        desired_revision=course.wanted.digest,
        last_good_revision=course.last_good,
        dry_run=plan_dry_run(course),
        handled=handled_commands(course.wanted.system, course.wanted.digest, course.problem),
        wants_capacity=course.wants_capacity,
        generation=owner.generation,
        requeue_after=soonest(
            course.look_again,
            LOOK_AGAIN if course.hold else None,
            notes_due(system, now),
            *(each.gate.requeue_after for each in turns.decisions),
        ),
        trading_state=plan_notice(system),
        models=plan_model_notice(system),
        halted_by="" if observed.halt is None else observed.halt.restore,
        left=find_left(system, drafts),
    )
    return withhold(plan, observed) if spec.paused else plan


def _components(course: Course, turns: Turns, now: datetime) -> Iterator[ComponentPlan]:
    """Yield what the status says of the components, those of a change that is held among them."""
    restore = course.kept_up.system.observed.restore
    for each in turns.decisions:
        component = add_notes(course.kept_up.system, each.draft, plan_component(each), now)
        if each.stops and restore is not None:
            component = replace(component, stopped_by=restore.name)
        yield hold_component(course, component)
    yield from held_components(course)


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


def _prune(
    system: System, turns: Turns, objects: Iterable[Manifest], records: Records
) -> tuple[Ref, ...]:
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
        history=records.needed,
    )
    return plan_prune(system.owner, system.observed, map(ref_of, objects), needed)
