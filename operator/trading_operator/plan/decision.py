"""Whether a component's turn has come, to start, to change or to stop."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from trading_operator.plan.draft import Draft, System
from trading_operator.plan.gating import Gate, gate
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.readiness import orphans
from trading_operator.plan.replacement import find_replacement_block, previous_workload
from trading_operator.plan.types import Block, ComponentPlan, Manifest
from trading_operator.plan.validation import find_block


@dataclass(frozen=True)
class Decision:
    """A component and whether its turn has come."""

    draft: Draft
    gate: Gate
    running: bool
    former: Ref | None = None  # workload of another kind that gives way now
    stops: bool = False  # its turn is one to stop, not to start
    block: Block | None = None  # why it is not there yet, though its turn may have come

    @property
    def goes(self) -> bool:
        """Tell whether the component is written now."""
        return self.gate.goes

    @property
    def objects(self) -> tuple[Manifest, ...]:
        """Return what is written of the component now."""
        if self.goes and (self.running or not self.stops):
            return self.draft.objects
        # The address of a component that never ran can be there before it.
        service = self.draft.service
        return () if self.running or service is None else (service,)

    @property
    def may_start(self) -> bool:
        """Tell whether new pods of it may come into being now."""
        return self.goes and not self.stops and not self.gate.awaited


def decide(system: System, draft: Draft, drafts: Mapping[str, Draft], now: datetime) -> Decision:
    """Decide whether a component may be started or changed."""
    observed, former = system.observed, previous_workload(system, draft)
    left = orphans(observed, draft.ref, draft.name)
    running = former is not None or draft.ref in observed.children or bool(left)
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


def plan_component(decision: Decision) -> ComponentPlan:
    """Return what the status has to know of a decision."""
    draft = decision.draft
    return ComponentPlan(
        name=draft.name,
        kind=draft.kind,
        workload=draft.ref,
        revision=draft.revision,
        desired=draft.desired,
        block=decision.block or decision.gate.block,
        running=decision.running,
        degraded=decision.gate.degraded,
        missing=decision.gate.missing,
        waiting_since=decision.gate.waiting_since,
        stops=decision.stops,
        findings=draft.findings,
        claim=None if draft.claim is None else ref_of(draft.claim),
    )
