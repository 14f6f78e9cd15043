"""A Restore's plan: which step it is at, and what that step needs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from trading_operator.api.backup_parts import Hooks
from trading_operator.api.backup_status import Outcome, RunKind
from trading_operator.api.common import parse_duration
from trading_operator.api.restore import HOLDING, LATEST, OVER, RestorePhase
from trading_operator.api.trading_system import ComponentState
from trading_operator.manifests.config_map import build_config_map
from trading_operator.manifests.job import Limits, build_job, build_job_spec
from trading_operator.manifests.metadata import Manifest, build_labels_within, child_name
from trading_operator.manifests.probe import whole_seconds
from trading_operator.plan.backup.answers import Answer, is_ending, read_answer
from trading_operator.plan.backup.case import Case, JobFacts, Source
from trading_operator.plan.backup.job_file import build_restore_file
from trading_operator.plan.backup.network import plan_job_network
from trading_operator.plan.backup.pods import Work, build_run_template, run_labels
from trading_operator.plan.backup.repository import plan_repository
from trading_operator.plan.backup.requests import restore_request
from trading_operator.plan.backup.targets import Targets
from trading_operator.plan.observed import AskedBackup
from trading_operator.plan.readiness import may_run
from trading_operator.plan.restore.activity import find_activity
from trading_operator.plan.restore.case import RestoreCase
from trading_operator.plan.restore.obstacles import (
    chosen_set,
    find_obstacle,
    keeps_stopped,
    needs_safety,
    restored_targets,
)
from trading_operator.plan.restoring import users_of
from trading_operator.plan.sealing import seal
from trading_operator.plan.types import Block, Plan

_RETRIES = 1
_LOOK_AGAIN = timedelta(seconds=5)
_ASK_AGAIN = timedelta(seconds=15)  # how far the Job is


@dataclass(frozen=True)
class RestorePlan:
    """Where a Restore stands, and what should be there for that."""

    plan: Plan
    phase: RestorePhase
    message: str = ""
    block: Block | None = None  # what a person must mend, or what is waited for first
    targets: tuple[str, ...] = ()
    set: str = ""  # "": not chosen yet
    job: JobFacts | None = None
    answer: Answer | None = None


def plan_restore(case: RestoreCase, now: datetime) -> RestorePlan:
    """Return the next step; raises InvalidSpecError when the spec makes no sense.

    What is over stays so, and what has begun goes on: what keeps others from beginning is no
    reason to stop half-way.
    """
    generation = case.owner.generation
    if case.before.phase in OVER:
        return _resume(case, Plan(generation=generation))
    job = next(iter(case.jobs), None)
    if job is not None:
        is_over = job.is_over and not is_ending(job, now)
        wait = None if is_over else _ASK_AGAIN
        return _follow(case, job, Plan(generation=generation, requeue_after=wait), is_over=is_over)
    if case.before.job is not None:
        gone = _resume(case, Plan(generation=generation))
        return _fail(case, gone, "its Job is gone: nobody knows how far it came")
    block = find_obstacle(case)
    if block is not None:
        return _wait(case, block)
    backup = case.backup
    source = None if backup is None else backup.source
    assert backup is not None, "find_obstacle tells what is missing"
    assert source is not None, "find_obstacle tells what is missing"
    targets = restored_targets(case, backup, source)
    # What cannot be built is told before anything is stopped for it.
    objects = tuple(map(seal, _build_objects(case, backup, source, targets)))
    return _advance(case, backup, source, targets, objects)


def _wait(case: RestoreCase, block: Block) -> RestorePlan:
    """Wait for what must come first; what passes by itself starts nobody who was stopped."""
    plan = Plan(generation=case.owner.generation, requeue_after=block.requeue_after)
    if case.before.phase in HOLDING and keeps_stopped(case, block):
        targets = tuple(case.before.targets)
        return RestorePlan(plan, case.before.phase, block.message, block, targets)
    return RestorePlan(plan, RestorePhase.PENDING, block.message, block)


def _advance(
    case: RestoreCase,
    backup: Case,
    source: Source,
    targets: Targets,
    objects: tuple[Manifest, ...],
) -> RestorePlan:
    plan = Plan(generation=case.owner.generation, requeue_after=_LOOK_AGAIN)
    wanted = chosen_set(case, backup)
    known = "" if wanted == LATEST else wanted
    step = RestorePlan(plan, RestorePhase.STOPPING, targets=targets.names, set=known)
    active = sorted(_active_users(case, source, frozenset(targets.names)))
    busy = sorted(_active_runs(case, backup))
    if active or busy:
        return replace(step, message=f"waits until {', '.join((*active, *busy))} have stopped")
    # The system hears of this phase by the status: only what stops from then on stays stopped.
    if case.before.phase not in HOLDING:
        return replace(step, message="what uses it stops")
    if needs_safety(case) and (case.saved is None or case.saved.outcome != Outcome.SUCCEEDED):
        return replace(step, **_save(case.spec.backup, case.saved))
    return replace(step, plan=replace(plan, objects=objects), phase=RestorePhase.RESTORING)


def _save(backup: str, saved: AskedBackup | None) -> dict[str, Any]:
    if saved is None or saved.outcome == Outcome.RUNNING:
        message = f"{backup} takes a backup of what will be replaced"
        return {"phase": RestorePhase.SAVING, "message": message}
    message = f"nothing was replaced: the backup before it failed: {saved.message}"
    return {"phase": RestorePhase.FAILED, "message": message}


def _active_users(case: RestoreCase, source: Source, targets: frozenset[str]) -> Iterator[str]:
    """Yield who uses the targets and has a pod, or is not known yet to have been stopped."""
    pods = {pod.component for pod in case.system.pods if may_run(pod)}
    for user in users_of(source.spec, targets):
        if user in pods or case.system.states.get(user) != ComponentState.STOPPED:
            yield user


def _active_runs(case: RestoreCase, backup: Case) -> Iterator[str]:
    """Yield the runs that would back up what is half restored, and who could begin one."""
    own = restore_request(case.owner.uid, case.before.held_since or "")
    yield from find_activity(backup.owner, backup.observed, backup.jobs, own)
    yield from case.busy


def _follow(case: RestoreCase, job: JobFacts, plan: Plan, *, is_over: bool) -> RestorePlan:
    step = RestorePlan(
        plan,
        RestorePhase.RESTORING,
        message=job.waits,
        targets=tuple(case.before.targets),
        job=job,
        answer=read_answer(job.words),
    )
    if not is_over:
        return step
    answer = step.answer
    if job.outcome == Outcome.SUCCEEDED and answer is not None and answer.went_well:
        return replace(step, phase=RestorePhase.SUCCEEDED, message=answer.message)
    said = job.words.strip() or job.message if answer is None else answer.message
    reason = job.reason if answer is None else answer.reason
    told = ": ".join(filter(None, (reason, said))) or "its pod did not say what it had done"
    return _fail(case, step, told)


def _fail(case: RestoreCase, step: RestorePlan, told: str) -> RestorePlan:
    wanted = case.before.set or case.spec.set
    message = (
        f"{told}; what uses the data stays stopped until this Restore is deleted: to try again "
        f"make another one of set {wanted} first"
    )
    return replace(step, phase=RestorePhase.FAILED, message=message)


def _resume(case: RestoreCase, plan: Plan) -> RestorePlan:
    before = case.before
    return RestorePlan(plan, before.phase, before.message or "", targets=tuple(before.targets))


def _build_objects(
    case: RestoreCase, backup: Case, source: Source, targets: Targets
) -> Iterator[Manifest]:
    repository = plan_repository(backup)
    spec = case.spec
    wanted = {
        "id": case.owner.uid,
        "set": chosen_set(case, backup),
        "targets": list(targets.names),
        "mode": spec.mode.value,
    }
    files = build_restore_file(backup, targets, repository, wanted)
    labels = build_labels_within(source.owner.name, case.owner)
    config = build_config_map(case.owner, "job", files, labels)
    # A restore asks no service.
    silent = backup.spec.model_copy(update={"hooks": Hooks()})
    own = replace(backup, owner=case.owner, spec=silent)
    work = Work(own, source, targets, repository, config["metadata"]["name"])
    yield config
    yield from plan_job_network(work, "restore-job")
    limits = Limits(whole_seconds(parse_duration(spec.deadline)), _RETRIES)
    job = build_job_spec(build_run_template(work, RunKind.RESTORE), limits)
    name, marks = child_name(case.owner, "restore"), run_labels(work, RunKind.RESTORE)
    yield build_job(case.owner, name, marks, job)
