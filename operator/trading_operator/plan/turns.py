"""Whose turn has come, over the whole system."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from trading_operator.plan.decision import Decision, decide
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.hibernation import decide_stops
from trading_operator.plan.leaving import plan_leaving
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.readiness import is_ready
from trading_operator.plan.restoring import resting_components
from trading_operator.plan.stopping import plan_stopping


@dataclass(frozen=True)
class Turns:
    """The decision of each component, in start order.

    `surplus` are workloads of no component any more, whose turn to go has come. `settled` tells
    that every component is as planned, so that nothing may use any more what left the spec.
    """

    decisions: tuple[Decision, ...]
    surplus: tuple[Ref, ...]
    settled: bool

    @property
    def going(self) -> tuple[Draft, ...]:
        """Return the components that are written now in order to run."""
        return tuple(each.draft for each in self.decisions if each.goes and not each.stops)

    @property
    def startable(self) -> tuple[Draft, ...]:
        """Return the components of which new pods may come into being now."""
        return tuple(each.draft for each in self.decisions if each.may_start)

    @property
    def staying(self) -> tuple[Draft, ...]:
        """Return the components that do not stop now."""
        return tuple(each.draft for each in self.decisions if not (each.stops and each.goes))


def take_turns(
    system: System, drafts: Mapping[str, Draft], now: datetime, *, proven: bool
) -> Turns:
    """Decide for each component whether it starts, changes or stops now.

    Until the revision is `proven` good nothing is settled: the way back stays short.
    """
    observed = system.observed
    if system.spec.hibernated:
        stopping = plan_stopping(drafts, observed)
        return Turns(decide_stops(system, drafts, stopping), stopping.delete, stopping.done)
    resting = resting_components(system)
    if resting:
        # What is restored stays up, and nothing that left the spec goes meanwhile.
        stops = decide_stops(system, drafts, plan_stopping(drafts, observed))
        kept = {each.draft.name: each for each in stops if each.draft.name in resting}
        decided = (kept.get(n) or decide(system, each, drafts, now) for n, each in drafts.items())
        return Turns(tuple(decided), (), settled=False)
    decisions = tuple(decide(system, draft, drafts, now) for draft in drafts.values())
    settled = proven and all(_is_as_planned(observed, each) for each in decisions)
    return Turns(decisions, plan_leaving(system, drafts, settled=settled), settled)


def _is_as_planned(observed: Observed, decision: Decision) -> bool:
    return decision.goes and is_ready(observed, decision.draft)
