"""A ModelTrainingJob's plan: the order of its policies."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trading_operator.api import reasons
from trading_operator.api.model_training_status import (
    GateResult,
    HandledCommands,
    LaunchOutcome,
    ModelVersion,
    RunOutcome,
    TrainingRun,
)
from trading_operator.manifests.job import KIND as JOB
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.prune import is_controlled
from trading_operator.plan.rollout.clock import soonest
from trading_operator.plan.rollout.commands import RETRY
from trading_operator.plan.sealing import seal
from trading_operator.plan.training.case import TrainingCase, traded_now
from trading_operator.plan.training.gates import first_metric, judge
from trading_operator.plan.training.history import forget_withdrawn, fresh_command
from trading_operator.plan.training.jobs import (
    LaunchWork,
    image_of,
    plan_launch,
    plan_training_network,
)
from trading_operator.plan.training.launches import next_device, time_left
from trading_operator.plan.training.promotion import PromotionPlan, plan_promotion
from trading_operator.plan.training.recipe import recipe_of
from trading_operator.plan.training.runs import (
    Standing,
    is_clear,
    jobs_to_stop,
    next_number,
    open_run,
    take_stock,
)
from trading_operator.plan.training.schedule import Timetable, read_timetable
from trading_operator.plan.training.surroundings import find_surroundings
from trading_operator.plan.training.versions import build_version
from trading_operator.plan.training.waiting import find_wait
from trading_operator.plan.types import Block, Plan

CONFIG_MAP = "ConfigMap"
_PRUNABLE = frozenset({CONFIG_MAP, "NetworkPolicy"})
_SOON = timedelta(seconds=2)  # what a write of our own wakes nobody for
_LOOK_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True)
class TrainingPlan:
    """What should be there, and what the status has to know of how that was decided."""

    plan: Plan
    standing: Standing
    timetable: Timetable
    promotion: PromotionPlan
    version: ModelVersion | None = None
    block: Block | None = None  # why nothing new begins
    wait: Block | None = None  # why the pod of the run does not run

    @property
    def run(self) -> TrainingRun | None:
        """Return the newest run."""
        return self.standing.run


def plan_training(case: TrainingCase, now: datetime) -> TrainingPlan:
    """Return what should be there now; raises InvalidSpecError when the spec makes no sense."""
    block = _find_block(case)
    resting = _find_rest(case)
    standing = take_stock(case, resting, now)
    timetable = read_timetable(case.spec, case.before, _last_scheduled(standing), now)
    version, gates = _take_version(case, standing)
    promotion = plan_promotion(case, version, gates, _metric_of(case, version), now)
    handled = forget_withdrawn(case, promotion.handled)
    standing, launched, retried = _begin(case, standing, timetable, block, resting)
    objects = [*_plan_network(case), *launched]
    if retried:
        handled = handled.model_copy(update={"retry": retried})
    promotion = replace(promotion, handled=handled)
    job = standing.job
    wait = None if job is None or not standing.is_open else find_wait(case, job, now)
    plan = Plan(
        objects=tuple(map(seal, objects)),
        prune=(*_jobs_that_go(case), *_left_overs(case, objects)),
        generation=case.owner.generation,
        requeue_after=soonest(
            standing.look_again,
            timetable.look_again,
            promotion.requeue_after,
            _SOON if launched or _stops(case, standing) else None,
            _LOOK_AGAIN if standing.is_open else None,
            block.requeue_after if block is not None else None,
            wait.requeue_after if wait is not None else None,
        ),
    )
    return TrainingPlan(plan, standing, timetable, promotion, version, block, wait)


def _find_block(case: TrainingCase) -> Block | None:
    if case.source is None:
        message = (
            f"system: there is no TradingSystem {case.spec.system} in this namespace; create it. "
            "What was trained stays"
        )
        return Block(reasons.SYSTEM_NOT_FOUND, message)
    around = find_surroundings(case, case.source)
    if case.rival:
        message = (
            f"ModelTrainingJob {case.rival} has {case.spec.model.type} {case.spec.model.timeframe} "
            "of this service; delete one of them, or mend spec.model"
        )
        return Block(reasons.LINE_TAKEN, message)
    if around.awaited:
        told = f"waits until {', '.join(around.awaited)} of {case.source.owner.name} is there"
        return Block(reasons.WAITING_FOR_TARGET, told, _LOOK_AGAIN)
    return None


def _find_rest(case: TrainingCase) -> str:
    """Return why nothing may run now, "" when it may."""
    if case.spec.suspend:
        return "spec.suspend is true"
    if case.source is not None and case.source.spec.hibernated:
        return "the system hibernates"
    return f"Restore {case.restored_by} restores its data" if case.restored_by else ""


def _last_scheduled(standing: Standing) -> str:
    return (standing.run.scheduled_for or "") if standing.run is not None else ""


def _take_version(
    case: TrainingCase, standing: Standing
) -> tuple[ModelVersion | None, tuple[GateResult, ...] | None]:
    """Return the newest version, and its gates when it is new."""
    answer, run = standing.answer, standing.run
    if answer is None or answer.version is None or run is None:
        return case.before.version, None
    version = build_version(answer, answer.version, run, image_of(case))
    traded = traded_now(case)
    return version, judge(case.spec, answer, "" if traded is None else traded.id)


def _metric_of(case: TrainingCase, version: ModelVersion | None) -> str | None:
    if version is None:
        return None
    name = first_metric(case.spec)
    return next((each.value for each in version.metrics if each.name == name), None)


def _begin(
    case: TrainingCase,
    standing: Standing,
    timetable: Timetable,
    block: Block | None,
    resting: str,
) -> tuple[Standing, list[Manifest], str]:
    """Begin a run, or the next launch of one; return what is written, and a command that asked."""
    if block is not None or resting or case.source is None:
        return standing, [], ""
    if not is_clear(case) or standing.answer is not None:
        return standing, [], ""
    if standing.is_open and standing.run is not None:
        return standing, _go_on(case, standing.run), ""
    retry = fresh_command(case, case.before.handled or HandledCommands(), RETRY)
    due = _find_due(case, standing.run, timetable, retry)
    if due is None:
        return standing, [], ""
    traded = traded_now(case)
    champion = "" if traded is None else traded.id
    number = next_number(case, standing.run)
    run = open_run(number, recipe_of(case.spec), due, champion)
    return Standing(run), _launch(case, run), retry


def _go_on(case: TrainingCase, run: TrainingRun) -> list[Manifest]:
    """Return the next Job of a run whose last one was stopped, or is gone."""
    last = run.launches[-1] if run.launches else None
    if last is not None and last.outcome is LaunchOutcome.RUNNING:
        return []
    return _launch(case, run) if time_left(case.spec, run) > timedelta() else []


def _find_due(
    case: TrainingCase, run: TrainingRun | None, timetable: Timetable, retry: str
) -> str | None:
    """Return for when a run begins now: "" for at once, None for not now."""
    if retry:
        return ""
    if run is not None and run.outcome is RunOutcome.SUPERSEDED:
        return run.scheduled_for or ""
    if case.spec.schedule is not None:
        return timetable.due or None
    if run is None or run.recipe != recipe_of(case.spec):
        return ""
    return None


def _launch(case: TrainingCase, run: TrainingRun) -> list[Manifest]:
    if case.source is None:
        return []
    around = find_surroundings(case, case.source)
    number = max((each.number for each in run.launches), default=0) + 1
    device = next_device(case.spec, run.launches)
    work = LaunchWork(case, case.source, around, run, number, device)
    return list(plan_launch(work))


def _jobs_that_go(case: TrainingCase) -> tuple[Ref, ...]:
    return tuple(Ref(JOB, name) for name in jobs_to_stop(case))


def _stops(case: TrainingCase, standing: Standing) -> bool:
    """Tell whether the next pass has a Job to stop: the verdict has to be written first."""
    return case.before.run != standing.run or not is_clear(case)


def _plan_network(case: TrainingCase) -> list[Manifest]:
    """Return the policy of the Jobs' pods, whether or not one is there now."""
    if case.source is None:
        return []
    around = find_surroundings(case, case.source)
    return list(plan_training_network(case, case.source, around))


def _left_overs(case: TrainingCase, objects: list[Manifest]) -> tuple[Ref, ...]:
    """Return the job files that no Job reads any more, and a policy that is not wanted."""
    planned = {ref_of(each) for each in objects}
    begins = any(ref.kind == CONFIG_MAP for ref in planned)
    if begins or case.source is None or any(not each.is_over for each in case.jobs):
        return ()
    return tuple(
        sorted(
            ref
            for ref, live in case.observed.children.items()
            if ref.kind in _PRUNABLE and ref not in planned and is_controlled(case.owner, live)
        )
    )
