"""One pass over a ModelTrainingJob."""

from dataclasses import replace
from datetime import datetime

from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_status import PromotionPhase, SelectedModel
from trading_operator.api.rollout import RolloutPhase
from trading_operator.controllers.backup import find_source
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import (
    parse_owner,
    parse_training,
    parse_training_status,
)
from trading_operator.controllers.registry import Body
from trading_operator.controllers.report import Report
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Id, Key
from trading_operator.kube.read import key_of, soonest
from trading_operator.kube.read_backup import read_children
from trading_operator.kube.read_training import read_training_jobs
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.model_training_job import training_status
from trading_operator.plan.models_file import read_selected
from trading_operator.plan.observed import PodFacts
from trading_operator.plan.trading_state import trading_state_ref
from trading_operator.plan.training.case import ServiceFacts, TrainingCase
from trading_operator.plan.training.plan import plan_training
from trading_operator.plan.training.reports import ModelReport
from trading_operator.plan.training.surroundings import choose_address, report_port
from trading_operator.plan.training.waiting import wants_capacity

_WATCHED = frozenset({PromotionPhase.LOADING, PromotionPhase.OBSERVING})
# While a change is watched, what fails is blamed on that.
_SETTLED = frozenset({RolloutPhase.PROVEN, RolloutPhase.ROLLED_BACK})


async def reconcile_training(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours, body: Body, now: datetime
) -> Report:
    """Bring a ModelTrainingJob one step on. Raises InvalidSpecError, ApiError."""
    case = _gather(kube, operand, neighbours, body)
    if wants_capacity(case, now):
        case = replace(case, capacity=await kube.capacity.read(case.owner.namespace))
    running = next((job.address for job in case.jobs if not job.is_over), "")
    case = replace(
        case,
        said=await kube.progress.read_training(running),
        report=await _ask_service(kube, case),
    )
    planned = plan_training(case, now)
    applied = await apply_plan(kube, case.owner, planned.plan, case.observed)
    status = training_status(applied, planned, case, body.get("status"), now)
    requeue = planned.plan.requeue_after
    seconds = None if requeue is None else requeue.total_seconds()
    return Report(status, soonest(seconds, kube.refusals.due_in(key_of(case.owner))))


def _gather(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours, body: Body
) -> TrainingCase:
    owner, spec = parse_owner(body), parse_training(body)
    system_key = Key(owner.namespace, spec.system)
    system, restore = neighbours.find(system_key), neighbours.find_restore(system_key)
    jobs, lingering = read_training_jobs(kube, owner)
    touched = restore is not None and not restore.targets.isdisjoint(
        {spec.dataset.source, spec.volume}
    )
    return TrainingCase(
        owner=owner,
        spec=spec,
        observed=read_children(kube, owner),
        operand=operand,
        source=None if system is None else find_source(kube, system),
        jobs=jobs,
        before=parse_training_status(body),
        created_at=str(body["metadata"].get("creationTimestamp", "")),
        rival=neighbours.find_training_rival(key_of(owner)),
        restored_by=restore.name if restore is not None and touched else "",
        service=_read_service(kube, system_key, system, spec),
        selected=None if system is None else _read_selected(kube, parse_owner(system), spec),
        lingering=lingering,
    )


def _read_selected(kube: Kube, system: Owner, spec: ModelTrainingJobSpec) -> SelectedModel | None:
    """Return the model of the line that the system's services read of now."""
    if spec.promotion is None:
        return None
    file = trading_state_ref(system)
    entry = kube.cache.get(Id(file.kind, system.namespace, file.name))
    manifest = None if entry is None else entry.manifest
    return read_selected(manifest, spec.promotion.service, spec.model.type, spec.model.timeframe)


def _read_service(
    kube: Kube, key: Key, system: Body | None, spec: ModelTrainingJobSpec
) -> ServiceFacts:
    """Return the service that trades with the model, as its system has it now."""
    if system is None or spec.promotion is None:
        return ServiceFacts(exists=False, settled=False)
    name, status = spec.promotion.service, system.get("status") or {}
    lines = {line["name"]: line for line in status.get("components") or ()}
    line, wanted = lines.get(name, {}), system.get("spec") or {}
    phase = (status.get("rollout") or {}).get("phase")
    moved = wanted.get("paused") or wanted.get("hibernated")
    moved = moved or "deletionTimestamp" in system["metadata"] or line.get("desired") == 0
    pods = _pods_of(kube, key, name)
    return ServiceFacts(
        exists=name in lines,
        settled=not moved and (phase is None or phase in _SETTLED),
        # A service that does without something optional is Degraded for good, and answers.
        ready=any(pod.ready and not pod.deleting for pod in pods),
        reason=line.get("reason", ""),
        message=line.get("message", ""),
        pods=tuple(pods),
    )


def _pods_of(kube: Kube, system: Key, service: str) -> list[PodFacts]:
    return [pod for pod in kube.cache.pods(system) if pod.component == service]


async def _ask_service(kube: Kube, case: TrainingCase) -> ModelReport | None:
    """Return what the service says of the line, while it is loading or watched."""
    state = case.before.promotion
    if state is None or state.phase not in _WATCHED or case.source is None:
        return None
    port, line = report_port(case, case.source), case.spec.model
    address = choose_address(case.service.pods)
    if port is None or not address:
        return None
    reports = await kube.progress.read_models(address, port)
    for each in reports or ():
        if (each.type, each.timeframe) == (line.type, line.timeframe):
            return each
    return None
