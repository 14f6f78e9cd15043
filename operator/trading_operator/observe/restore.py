"""A Restore's whole status, computed from its plan and what its Job says."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.backup_status import MAX_COMPARISONS, WORDS_LENGTH, Comparison
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.restore import HOLDING, OVER, RestorePhase, RestoreStatus
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.event_text import NORMAL, WARNING, EventText
from trading_operator.observe.verdict import (
    Status,
    Verdict,
    build_conditions,
    judged_status,
    shorten,
)
from trading_operator.plan.gating import format_time
from trading_operator.plan.restore.case import RestoreCase
from trading_operator.plan.restore.plan import RestorePlan
from trading_operator.plan.types import Applied

_WAITED_FOR = frozenset(
    {reasons.WAITING_FOR_TARGET, reasons.WAITING_FOR_RESTORE, reasons.SYSTEM_NOT_READY}
)


def restore_status(
    applied: Applied,
    planned: RestorePlan,
    case: RestoreCase,
    previous: Mapping[str, Any] | None,
    now: datetime,
) -> Status:
    """Return the complete status as it goes over the wire."""
    before, generation = case.before, case.owner.generation
    found = list(_verdicts(planned, applied))
    conditions = build_conditions(found, generation, previous or {}, now)
    status = before.model_copy(
        update={
            "observed_generation": generation,
            "phase": planned.phase,
            "message": planned.message[:WORDS_LENGTH] or None,
            "targets": list(planned.targets) or before.targets,
            "set": planned.set or before.set,
            "progress": None if case.progress is None else str(case.progress),
            "remaining_seconds": case.progress.remaining_seconds if case.progress else None,
            "conditions": conditions,
            "held_since": _held_since(planned, before, now),
            **_of_backup(case),
            **_of_job(planned, before, now),
        }
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def invalid_restore_status(
    owner: Owner, error: InvalidSpecError, previous: Mapping[str, Any] | None, now: datetime
) -> Status:
    """Return the status of a spec that makes no sense: what has not begun waits for a person."""
    message, before = str(error), dict(previous or {})
    found = (
        Verdict(reasons.RECONCILING, False, reasons.INVALID_SPEC, "another Restore is needed"),
        Verdict(reasons.STALLED, True, reasons.INVALID_SPEC, message),
    )
    begun = "job" in before or before.get("phase") in OVER
    if not begun:
        before.pop("heldSince", None)
    status = judged_status(owner, found, before, now)
    waits = RestorePhase.PENDING.value
    phase = before.get("phase", waits) if begun else waits
    told = {"phase": phase, "message": message[:WORDS_LENGTH]}
    return {**status, **told, "observedGeneration": owner.generation}


def restore_events(
    previous: Mapping[str, Any] | None, current: Mapping[str, Any]
) -> list[EventText]:
    """Return what changed between two statuses and is worth telling: one event for each step."""
    before = previous or {}
    if current.get("phase") == before.get("phase"):
        return []
    phase, message = str(current.get("phase")), str(current.get("message") or "")
    if phase == RestorePhase.FAILED:
        return [EventText(WARNING, reasons.RESTORE_FAILED, message)]
    if phase == RestorePhase.SUCCEEDED:
        told = f"set {current.get('set')} is back in {', '.join(current.get('targets') or ())}"
        return [EventText(NORMAL, reasons.RESTORE_SUCCEEDED, told)]
    return [EventText(NORMAL, reasons.RESTORE_RUNNING, f"{phase}: {message}".rstrip(": "))]


def _held_since(planned: RestorePlan, before: RestoreStatus, now: datetime) -> str | None:
    if planned.phase in OVER:
        return before.held_since
    if planned.phase not in HOLDING:
        return None
    known = before.held_since if before.phase in HOLDING else None
    return known or format_time(now)


def _of_backup(case: RestoreCase) -> dict[str, Any]:
    return {} if case.backup is None else {"system": case.backup.spec.system}


def _of_job(planned: RestorePlan, before: RestoreStatus, now: datetime) -> dict[str, Any]:
    job, answer = planned.job, planned.answer
    if job is None:
        just_over = planned.phase in OVER and before.ended_at is None
        return {"ended_at": format_time(now)} if just_over else {}
    told: dict[str, Any] = {
        "job": job.name,
        "started_at": job.started_at or None,
        "ended_at": job.ended_at or None,
    }
    if answer is not None:
        facts = answer.comparison[:MAX_COMPARISONS]
        told["set"], told["data_as_of"] = answer.set or before.set, answer.data_as_of
        told["seconds"] = answer.rto_seconds
        told["comparison"] = [Comparison.model_validate(each.model_dump()) for each in facts]
    return told


def _verdicts(planned: RestorePlan, applied: Applied) -> Iterator[Verdict]:
    """Yield all conditions; kstatus reads Reconciling before Stalled."""
    refused = [f"{f.ref.kind} {f.ref.name}: {f.message}" for f in applied.failures]
    yield _reconciling(planned)
    yield _stalled(planned, refused)
    yield _succeeded(planned)


def _reconciling(planned: RestorePlan) -> Verdict:
    block = planned.block
    if planned.phase in OVER:
        return Verdict(reasons.RECONCILING, False, reasons.SETTLED, "it is over")
    if block is not None:
        waits = block.reason in _WAITED_FOR
        return Verdict(reasons.RECONCILING, waits, block.reason, shorten(block.message))
    told = f"{planned.phase.value}: {planned.message}".rstrip(": ")
    return Verdict(reasons.RECONCILING, True, reasons.RESTORE_RUNNING, shorten(told))


def _stalled(planned: RestorePlan, refused: list[str]) -> Verdict:
    block = planned.block
    if refused:
        return Verdict(reasons.STALLED, True, reasons.REFUSED, shorten("; ".join(refused)))
    if block is not None and block.reason not in _WAITED_FOR:
        return Verdict(reasons.STALLED, True, block.reason, shorten(block.message))
    if planned.phase is RestorePhase.FAILED:
        message = shorten(planned.message)
        return Verdict(reasons.STALLED, True, reasons.RESTORE_FAILED, message)
    message = "nothing waits for a person"
    return Verdict(reasons.STALLED, False, reasons.NOTHING_STALLED, message)


def _succeeded(planned: RestorePlan) -> Verdict:
    if planned.phase is RestorePhase.SUCCEEDED:
        message = "the data are back, and are what they were"
        return Verdict(reasons.SUCCEEDED, True, reasons.RESTORE_SUCCEEDED, message)
    failed = planned.phase is RestorePhase.FAILED
    reason = reasons.RESTORE_FAILED if failed else reasons.RESTORE_RUNNING
    message = shorten(planned.message) or "it is not over"
    return Verdict(reasons.SUCCEEDED, False, reason, message)
