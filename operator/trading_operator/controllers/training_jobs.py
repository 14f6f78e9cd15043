"""ModelTrainingJobs as a kind: what is particular about passes over them."""

import functools
from typing import NamedTuple

from trading_operator.api import reasons
from trading_operator.api.common import parse_duration
from trading_operator.api.model_training_status import (
    HistoryEvent,
    RunOutcome,
    SelectedModel,
    TrainingPhase,
)
from trading_operator.controllers.backups import known_status
from trading_operator.controllers.kind import Kind
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import parse_training_status
from trading_operator.controllers.registry import Body, Registry
from trading_operator.controllers.training_job import reconcile_training
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.resources import MODEL_TRAINING_JOBS
from trading_operator.observe.model_training_job import invalid_training_status
from trading_operator.observe.training_events import training_events
from trading_operator.plan.moments import read_moment
from trading_operator.plan.observed import Selection


class TrainingFacts(NamedTuple):
    """What is asked for often of a ModelTrainingJob; times are seconds since the epoch."""

    system: str
    created_at: str
    selection: Selection | None  # None: it selects nothing
    last_success: float | None
    promoted_at: float | None
    expires_at: float | None  # None: the spec says no age, or nothing is traded
    rolled_back: int  # of the entries that the status remembers
    last_rollback: float | None
    missed_runs: int
    is_running: bool  # whether a run is under way, or waited for
    waits_for: str  # reason why its pod does not run, "" while none is waited for


Trainings = Registry[TrainingFacts]


def read_facts(body: Body) -> TrainingFacts:
    """Return what is asked for often of a ModelTrainingJob."""
    status, spec = parse_training_status(body), body.get("spec") or {}
    run, champion = status.run, status.champion
    outcome = None if run is None else run.outcome
    history = status.promotion_history
    backs = [each.at for each in history if each.event is HistoryEvent.ROLLED_BACK]
    waits = status.phase is TrainingPhase.WAITING
    return TrainingFacts(
        system=str(spec.get("system", "")),
        created_at=str(body["metadata"].get("creationTimestamp", "")),
        selection=_read_selection(body),
        last_success=_seconds(run.ended_at) if run and outcome is RunOutcome.SUCCEEDED else None,
        promoted_at=None if champion is None else _seconds(champion.since),
        expires_at=_expires_at(spec, champion),
        rolled_back=len(backs),
        last_rollback=_seconds(backs[-1]) if backs else None,
        missed_runs=status.missed_runs,
        is_running=outcome is RunOutcome.RUNNING,
        waits_for=status.summary or reasons.POD_NOT_CREATED if waits else "",
    )


def build_training_jobs(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours
) -> Kind[TrainingFacts]:
    """Build the kind of the ModelTrainingJobs."""
    return Kind(
        resource=MODEL_TRAINING_JOBS,
        read_facts=read_facts,
        reconcile=functools.partial(reconcile_training, kube, operand, neighbours),
        changed=neighbours.training_changed,
        invalid_status=invalid_training_status,
        known_status=known_status,
        tell=training_events,
    )


def _expires_at(spec: Body, champion: SelectedModel | None) -> float | None:
    age = (spec.get("promotion") or {}).get("expireAfter")
    since = None if champion is None else _seconds(champion.since)
    return since + parse_duration(str(age)).total_seconds() if age and since else None


def _read_selection(body: Body) -> Selection | None:
    status, spec = parse_training_status(body), body.get("spec") or {}
    promotion, model = spec.get("promotion") or {}, spec.get("model") or {}
    service = promotion.get("service")
    if not service:
        return None
    return Selection(
        service=str(service),
        type=str(model.get("type", "")),
        timeframe=str(model.get("timeframe", "")),
        owner=body["metadata"]["name"],
        model=status.champion,
        spoke=bool(status.promotion_history),
    )


def _seconds(text: str | None) -> float | None:
    moment = read_moment(text)
    return None if moment is None else moment.timestamp()
