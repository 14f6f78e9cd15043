"""The end of a system: what stops first, and until when it is waited for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.deletion import Deletion
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.reasons import WAITING_FOR_LAST_BACKUP
from trading_operator.api.service import Service, WorkloadType
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.plan.claims import plan_last_claims
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.drafts import plan_drafts
from trading_operator.plan.last_backup import LastBackup, backup_deadline, wants_last_backup
from trading_operator.plan.observed import Observed
from trading_operator.plan.replacement import abandoned_pods
from trading_operator.plan.sealing import seal
from trading_operator.plan.stopping import plan_stopping, stopped_workload
from trading_operator.plan.types import (
    STATEFUL_SET,
    WORKLOAD_KINDS,
    Block,
    OperandSettings,
    Owner,
    Plan,
)
from trading_operator.plan.volumes import has_data

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


def needs_ordered_stop(spec: TradingSystemSpec, observed: Observed, plan: Plan) -> bool:
    """Tell whether a system that is deleted must wait for the operator.

    So it is with a last backup, with a single writer, in its spec or still as a workload, and while
    a StatefulSet is made anew: nobody would collect the pods that it leaves behind in between.
    """
    return (
        wants_last_backup(spec)
        or any(_is_single_writer(component) for component in spec.components)
        or any(
            ref.kind == STATEFUL_SET and not has_data(live)
            for ref, live in observed.children.items()
        )
        or bool(plan.recreate)
        # A component's pod without a controller; the system's Jobs have one.
        or any(pod.revision and not pod.controlled for pod in observed.pods)
    )


def _is_single_writer(component: object) -> bool:
    return isinstance(component, Service) and component.workload is WorkloadType.SINGLE_WRITER


def stop_deadline(spec: TradingSystemSpec | None, deleted_at: datetime) -> datetime:
    """Return until when an ordered stop is waited for; a spec that makes no sense says nothing."""
    deletion = Deletion() if spec is None else spec.deletion
    return backup_deadline(deletion, deleted_at) + parse_duration(deletion.stop_deadline)


def were_orphaned(owner: Owner, observed: Observed) -> bool:
    """Tell whether what runs was freed from its system, and so is meant to go on without it.

    The garbage collector may have done that before the operator saw that it was asked to.
    """
    workloads = [live for ref, live in observed.children.items() if ref.kind in WORKLOAD_KINDS]
    references = (
        each for live in workloads for each in live["metadata"].get("ownerReferences", ())
    )
    return bool(workloads) and all(each["uid"] != owner.uid for each in references)


def plan_ending(
    owner: Owner,
    spec: TradingSystemSpec | None,
    observed: Observed,
    operand: OperandSettings,
    last: LastBackup | None = None,
) -> Ending:
    """Return the next step of an ordered stop. Nothing is made, whatever is missing.

    Without a spec that makes sense nobody knows what depends on what: then services stop before
    what has a volume. While the last backup is awaited datastores serve.
    """
    drafts = {} if spec is None else _drafts(System(owner, spec, observed, operand))
    stopping = plan_stopping(drafts, observed, _held(spec, last))
    workloads = (stopped_workload(drafts[name], observed) for name in stopping.scale)
    staying = (draft for name, draft in drafts.items() if name not in stopping.scale)
    release = plan_release(owner, spec, observed, last)
    plan = replace(
        release,
        objects=(*release.objects, *map(seal, filter(None, workloads))),
        prune=stopping.delete,
        replace_pods=tuple(abandoned_pods(observed, staying)),
    )
    return Ending(plan, stopping.blocks)


def plan_release(
    owner: Owner,
    spec: TradingSystemSpec | None,
    observed: Observed,
    last: LastBackup | None = None,
) -> Plan:
    """Return what is written before a system goes, even at once: whose its data is from then on."""
    claims = plan_last_claims(owner, spec, observed, last)
    return Plan(objects=tuple(map(seal, claims)), generation=owner.generation)


def _held(spec: TradingSystemSpec | None, last: LastBackup | None) -> dict[str, Block]:
    """Return the components that the last backup needs: a system without any waits by itself."""
    if spec is None or last is None or not last.is_awaited:
        return {}
    block = Block(WAITING_FOR_LAST_BACKUP, last.message)
    return {each.name: block for each in spec.datastores} or {"": block}


def _drafts(system: System) -> Mapping[str, Draft]:
    try:
        return plan_drafts(system)
    except InvalidSpecError:
        return {}
