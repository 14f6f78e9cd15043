"""The end of a system: what stops first, and until when it is waited for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import Service, WorkloadType
from trading_operator.api.trading_system import Deletion, TradingSystemSpec
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.claims import plan_claims
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.stopping import plan_stopping, stopped_workload
from trading_operator.plan.trading_system import plan_drafts, seal
from trading_operator.plan.types import (
    STATEFUL_SET,
    Block,
    Observed,
    OperandSettings,
    Owner,
    Plan,
    ref_of,
)

LOOK_AGAIN = timedelta(seconds=5)


@dataclass(frozen=True)
class Ending:
    """What is written while a system stops, and why each component that has not stopped waits."""

    plan: Plan
    blocks: Mapping[str, Block]

    @property
    def done(self) -> bool:
        """Tell whether nothing of the system runs any more."""
        return not self.blocks and not self.plan.prune


def needs_ordered_stop(spec: TradingSystemSpec, observed: Observed) -> bool:
    """Tell whether a system has a single writer, in its spec or still as a workload."""
    return any(_is_single_writer(component) for component in spec.components) or any(
        ref.kind == STATEFUL_SET and not live["spec"].get("volumeClaimTemplates")
        for ref, live in observed.children.items()
    )


def _is_single_writer(component: object) -> bool:
    return isinstance(component, Service) and component.workload is WorkloadType.SINGLE_WRITER


def stop_deadline(spec: TradingSystemSpec | None, deleted_at: datetime) -> datetime:
    """Return until when an ordered stop is waited for; a spec that makes no sense says nothing."""
    deletion = Deletion() if spec is None else spec.deletion
    return deleted_at + parse_duration(deletion.stop_deadline)


def plan_ending(
    owner: Owner, spec: TradingSystemSpec | None, observed: Observed, operand: OperandSettings
) -> Ending:
    """Return the next step of an ordered stop. Nothing is made, whatever is missing.

    Without a spec that makes sense nobody knows what depends on what: then services stop before
    what has a volume.
    """
    system = None if spec is None else System(owner, spec, observed, operand)
    drafts = {} if system is None else _drafts(system)
    stopping = plan_stopping(drafts, observed)
    workloads = (stopped_workload(drafts[name], observed) for name in stopping.scale)
    claims = () if system is None else _live_claims(system, drafts)
    plan = Plan(
        objects=tuple(map(seal, (*claims, *filter(None, workloads)))),
        prune=stopping.delete,
        generation=owner.generation,
    )
    return Ending(plan, stopping.blocks)


def _drafts(system: System) -> Mapping[str, Draft]:
    try:
        return plan_drafts(system)
    except InvalidSpecError:
        return {}


def _live_claims(system: System, drafts: Mapping[str, Draft]) -> tuple[Manifest, ...]:
    """Return the claims as the deletion policy wants them, which may have changed just before."""
    claims = plan_claims(system, drafts.values()) if drafts else ()
    return tuple(claim for claim in claims if ref_of(claim) in system.observed.children)
