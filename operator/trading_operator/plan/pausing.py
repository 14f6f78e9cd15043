"""A paused system: what it should be is computed and told, and nothing of it is written.

But for one thing: services hear at once that they may trade less.
"""

from collections.abc import Iterator
from dataclasses import replace

from trading_operator.api.reasons import PAUSED, WAITING_REASONS
from trading_operator.manifests.compare import differs
from trading_operator.plan.observed import Observed, Ref, ref_of
from trading_operator.plan.trading_state import keep_stricter
from trading_operator.plan.types import Block, ComponentPlan, Plan


def withhold(plan: Plan, observed: Observed) -> Plan:
    """Return what of the plan does not wait, and the objects that wait to be written."""
    urgent = keep_stricter(plan, observed)
    waiting = tuple(dict.fromkeys(_waiting(plan, urgent, observed)))
    return Plan(
        objects=urgent.objects,
        components=tuple(_hold(each, waiting) for each in plan.components),
        revision=plan.revision,
        rendering=plan.rendering,
        generation=plan.generation,
        trading_state=urgent.trading_state,
        halted_by=plan.halted_by,
        withheld=waiting,
        desired_revision=plan.desired_revision,
        last_good_revision=plan.last_good_revision,
        dry_run=plan.dry_run,
        handled=observed.rollout.handled,
    )


def _waiting(plan: Plan, urgent: Plan, observed: Observed) -> Iterator[Ref]:
    for manifest in (*plan.verdicts, *plan.objects, *plan.recreate):
        live = observed.children.get(ref_of(manifest))
        if manifest not in urgent.objects and (live is None or differs(manifest, live)):
            yield ref_of(manifest)
    made = (ref_of(request.manifest) for request in plan.generated_secrets)
    yield from (ref for ref in made if ref.name not in observed.secrets)
    yield from plan.prune
    told = () if urgent.trading_state is None else urgent.trading_state.pods
    pods = plan.trading_state.pods if plan.trading_state is not None else ()
    left = (name for name in pods if name not in told)
    yield from (Ref("Pod", name) for name in (*plan.replace_pods, *left))


def _hold(component: ComponentPlan, waiting: tuple[Ref, ...]) -> ComponentPlan:
    """Say of a component that it is held; what a person must mend is still told first."""
    block = component.block
    moves = component.stops or block is None or block.reason in WAITING_REASONS
    idle = component.running and component.workload not in waiting and block is None
    if not moves or idle:
        return component
    held = "changed or stopped" if component.running else "started"
    return replace(
        component,
        block=Block(PAUSED, f"not {held} while spec.paused is true"),
        stops=False,
        # The wait for an optional dependency begins when that one may start.
        waiting_since=None,
    )
