"""A ModelTrainingJob's whole status, computed from what was applied and what its program says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.common import parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.model_training_status import (
    MAX_ATTEMPTS,
    MAX_METRICS,
    PromotionPhase,
    RunOutcome,
    TrainingPhase,
)
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.training_words import (
    build_attempts,
    build_checkpoint,
    build_progress,
    describe_progress,
    describe_score,
)
from trading_operator.observe.verdict import (
    Status,
    Verdict,
    build_conditions,
    judged_status,
    shorten,
)
from trading_operator.plan.moments import read_moment
from trading_operator.plan.training.case import TrainingCase
from trading_operator.plan.training.plan import TrainingPlan
from trading_operator.plan.training.versions import build_metrics
from trading_operator.plan.types import Applied, Failure

_WAITED_FOR = frozenset({reasons.WAITING_FOR_TARGET})


@dataclass(frozen=True)
class _Picture:
    """What the conditions are computed from."""

    case: TrainingCase
    planned: TrainingPlan
    failures: Sequence[Failure]
    now: datetime


def training_status(
    applied: Applied,
    planned: TrainingPlan,
    case: TrainingCase,
    previous: Mapping[str, Any] | None,
    now: datetime,
) -> Status:
    """Return the complete status as it goes over the wire."""
    picture, before, run = _Picture(case, planned, applied.failures, now), case.before, planned.run
    said, answer, promotion = case.said, planned.standing.answer, planned.promotion
    same_run = before.run is not None and run is not None and before.run.number == run.number
    told = answer or said
    attempts = list(build_attempts(told)) if told is not None and told.attempts else None
    known = before.attempts if same_run else []
    phase = _phase(planned, case)
    score = describe_score(case.spec, planned.version, promotion.champion)
    conditions = build_conditions(
        list(_verdicts(picture)), case.owner.generation, previous or {}, now
    )
    status = before.model_copy(
        update={
            "observed_generation": case.owner.generation,
            "phase": phase,
            "summary": describe_progress(phase, said, planned.wait),
            "score": score,
            "promoted": None if promotion.state is None else promotion.state.phase.value,
            "run": run,
            "attempts": (attempts or known)[-MAX_ATTEMPTS:],
            "lost_steps": told.lost_steps if told else (before.lost_steps if same_run else 0),
            "progress": build_progress(said, now) if phase is TrainingPhase.TRAINING else None,
            "last_checkpoint": build_checkpoint(told)
            or (before.last_checkpoint if same_run else None),
            "version": planned.version,
            "gates": list(promotion.gates),
            "promotion": _promotion(picture),
            "champion": promotion.champion,
            "previous": list(promotion.previous),
            "blocked": list(promotion.blocked),
            "promotion_history": list(promotion.history),
            "handled": promotion.handled,
            "scheduled": planned.timetable.text,
            "scheduled_since": planned.timetable.since,
            "next_run": planned.timetable.next_run,
            "missed_runs": before.missed_runs + planned.timetable.missed,
            "conditions": conditions,
        }
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def invalid_training_status(
    owner: Owner, error: InvalidSpecError, previous: Mapping[str, Any] | None, now: datetime
) -> Status:
    """Return the status of a spec that makes no sense: what is traded stays as it is."""
    message = str(error)
    found = (
        Verdict(reasons.READY, False, reasons.INVALID_SPEC, message),
        Verdict(reasons.RECONCILING, False, reasons.INVALID_SPEC, "it waits for an edit"),
        Verdict(reasons.STALLED, True, reasons.INVALID_SPEC, message),
    )
    before = dict(previous or {})
    status = judged_status(owner, found, before, now)
    phase = before.get("phase", TrainingPhase.PENDING.value)
    return {**status, "phase": phase, "observedGeneration": owner.generation}


def _phase(planned: TrainingPlan, case: TrainingCase) -> TrainingPhase:
    run = planned.run
    if run is None or run.outcome is RunOutcome.SUPERSEDED:
        return TrainingPhase.SUSPENDED if case.spec.suspend else TrainingPhase.PENDING
    if run.outcome is RunOutcome.SUCCEEDED:
        return TrainingPhase.SUCCEEDED
    if run.outcome is RunOutcome.FAILED:
        return TrainingPhase.FAILED
    if case.spec.suspend:
        return TrainingPhase.SUSPENDED
    job = planned.standing.job
    if job is None or planned.wait is not None:
        return TrainingPhase.WAITING
    return TrainingPhase.TRAINING


def _promotion(picture: _Picture) -> Any:
    state, report = picture.planned.promotion.state, picture.case.report
    if state is None or report is None or report.id != state.version:
        return state
    told = dict(sorted(report.live.items())[: MAX_METRICS - 2])
    live = build_metrics({**told, "scored": str(report.scored), "judged": str(report.judged)})
    return state.model_copy(update={"live": live})


def _verdicts(picture: _Picture) -> Iterator[Verdict]:
    """Yield all conditions; kstatus reads Reconciling before Stalled."""
    yield _ready(picture)
    yield _reconciling(picture)
    yield _stalled(picture)
    yield _succeeded(picture)
    if picture.planned.version is not None:
        yield _gates_passed(picture)
    if picture.case.spec.promotion is not None:
        yield _model_healthy(picture)


def _ready(picture: _Picture) -> Verdict:
    trouble = _trouble(picture)
    if trouble is not None:
        return Verdict(reasons.READY, False, *trouble)
    planned = picture.planned
    if planned.block is not None:
        return Verdict(reasons.READY, False, planned.block.reason, shorten(planned.block.message))
    if picture.case.spec.suspend:
        message = "nothing is trained while spec.suspend is true"
        return Verdict(reasons.READY, True, reasons.SUSPENDED, message)
    if planned.run is None and picture.case.spec.schedule is None:
        return Verdict(reasons.READY, False, reasons.NOT_TRAINED_YET, "it was not trained yet")
    if planned.standing.is_open and planned.version is None:
        message = "its first training is under way"
        return Verdict(reasons.READY, False, reasons.TRAINING_RUNNING, message)
    message = "the model is trained as the spec says"
    return Verdict(reasons.READY, True, reasons.MODELS_TRAINED, message)


def _trouble(picture: _Picture) -> tuple[str, str] | None:
    """Return what is wrong with what was written, or with the newest run."""
    if picture.failures:
        told = "; ".join(f"{f.ref.kind} {f.ref.name}: {f.message}" for f in picture.failures)
        return reasons.REFUSED, shorten(told)
    run = picture.planned.run
    if run is not None and run.outcome is RunOutcome.FAILED:
        return reasons.TRAINING_FAILED, _last_words(picture)
    return None


def _last_words(picture: _Picture) -> str:
    run = picture.planned.run
    if run is None:
        return ""
    return shorten(": ".join(filter(None, (f"run {run.number} failed", run.reason, run.message))))


def _reconciling(picture: _Picture) -> Verdict:
    planned = picture.planned
    block, wait, state = planned.block, planned.wait, planned.promotion.state
    if planned.standing.is_open and not picture.case.spec.suspend:
        if wait is not None:
            return Verdict(reasons.RECONCILING, True, wait.reason, shorten(wait.message))
        told = describe_progress(TrainingPhase.TRAINING, picture.case.said, None) or "it begins"
        run = planned.run
        number = 0 if run is None else run.number
        return Verdict(reasons.RECONCILING, True, reasons.TRAINING_RUNNING, f"run {number}: {told}")
    if block is not None and block.reason in _WAITED_FOR:
        return Verdict(reasons.RECONCILING, True, block.reason, shorten(block.message))
    if state is not None and state.phase in (PromotionPhase.LOADING, PromotionPhase.OBSERVING):
        told = f"{state.version}: {state.message or state.phase.value}"
        return Verdict(reasons.RECONCILING, True, reasons.MODEL_OBSERVED, shorten(told))
    return Verdict(reasons.RECONCILING, False, reasons.SETTLED, "no run is under way")


def _stalled(picture: _Picture) -> Verdict:
    trouble, block = _trouble(picture), picture.planned.block
    is_once = picture.case.spec.schedule is None or picture.failures
    if trouble is not None and is_once:
        return Verdict(reasons.STALLED, True, *trouble)
    if block is not None and block.reason not in _WAITED_FOR:
        return Verdict(reasons.STALLED, True, block.reason, shorten(block.message))
    handled, state = picture.planned.promotion.handled, picture.planned.promotion.state
    if handled.refused:
        return Verdict(reasons.STALLED, True, reasons.COMMAND_REFUSED, shorten(handled.refused))
    if state is not None and state.phase is PromotionPhase.AWAITING_APPROVAL:
        told = shorten(state.message or "")
        return Verdict(reasons.STALLED, True, reasons.AWAITING_APPROVAL, told)
    message = "nothing waits for a person"
    return Verdict(reasons.STALLED, False, reasons.NOTHING_STALLED, message)


def _succeeded(picture: _Picture) -> Verdict:
    run, version = picture.planned.run, picture.planned.version
    if run is not None and run.outcome is RunOutcome.FAILED:
        return Verdict(reasons.SUCCEEDED, False, reasons.TRAINING_FAILED, _last_words(picture))
    if run is not None and run.outcome is RunOutcome.SUCCEEDED and version is not None:
        message = f"run {run.number} trained {version.id}"
        return Verdict(reasons.SUCCEEDED, True, reasons.TRAINING_SUCCEEDED, message)
    if run is None:
        return Verdict(reasons.SUCCEEDED, False, reasons.NOT_TRAINED_YET, "no run has begun")
    return Verdict(reasons.SUCCEEDED, False, reasons.TRAINING_RUNNING, f"run {run.number} goes on")


def _gates_passed(picture: _Picture) -> Verdict:
    gates = picture.planned.promotion.gates
    failed = [f"{each.name}: {each.message or 'failed'}" for each in gates if not each.passed]
    if failed:
        return Verdict(reasons.GATES_PASSED, False, reasons.GATE_FAILED, shorten("; ".join(failed)))
    message = f"all {len(gates)} gates let the version pass"
    return Verdict(reasons.GATES_PASSED, True, reasons.GATES_PASSED, message)


def _model_healthy(picture: _Picture) -> Verdict:
    promotion = picture.planned.promotion
    champion, state = promotion.champion, promotion.state
    if champion is None:
        message = "no version was promoted; the service decides by itself what it trades with"
        return Verdict(reasons.MODEL_HEALTHY, False, reasons.NO_MODEL_YET, message)
    if state is not None and state.phase is PromotionPhase.ROLLED_BACK:
        told = shorten(f"{state.version} went back: {state.message}")
        return Verdict(reasons.MODEL_HEALTHY, False, reasons.MODEL_ROLLED_BACK, told)
    if _is_expired(picture):
        rules = picture.case.spec.promotion
        told = f"{champion.id} is older than {rules.expire_after if rules else ''}; train again"
        return Verdict(reasons.MODEL_HEALTHY, False, reasons.MODEL_EXPIRED, told)
    told = f"{champion.id} is traded with since {champion.since}"
    if state is not None and state.phase is PromotionPhase.LOADING:
        return Verdict(reasons.MODEL_HEALTHY, False, reasons.MODEL_PROMOTED, state.message or told)
    kept = state is not None and state.phase is PromotionPhase.OBSERVING
    reason = reasons.MODEL_OBSERVED if kept else reasons.MODEL_KEPT
    return Verdict(reasons.MODEL_HEALTHY, True, reason, told)


def _is_expired(picture: _Picture) -> bool:
    rules, champion = picture.case.spec.promotion, picture.planned.promotion.champion
    if rules is None or rules.expire_after is None or champion is None:
        return False
    since = read_moment(champion.since)
    return since is not None and picture.now - since >= parse_duration(rules.expire_after)
