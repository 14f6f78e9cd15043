"""How a version comes into use, and goes out of it: one step a pass, all of it in the status.

A version is selected by being the status's champion: the system's own pass tells its services. So
whoever dies in between goes on with the same selection.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from trading_operator.api.backup_status import WORDS_LENGTH
from trading_operator.api.model_training_parts import Promotion, PromotionMode
from trading_operator.api.model_training_status import (
    MAX_BLOCKED,
    MAX_PREVIOUS,
    BlockedModel,
    GateResult,
    HandledCommands,
    HistoryEntry,
    HistoryEvent,
    ModelVersion,
    PromotionPhase,
    PromotionState,
    SelectedModel,
)
from trading_operator.plan.gating import format_time
from trading_operator.plan.rollout.commands import APPROVE, ROLLBACK_TO
from trading_operator.plan.training.case import TrainingCase, traded_now
from trading_operator.plan.training.gates import outdate
from trading_operator.plan.training.history import add_entry, fresh_command
from trading_operator.plan.training.observation import (
    LOOK_AGAIN,
    Finding,
    case_service,
    watch_live,
    watch_loading,
)

OPERATOR, PERSON = "the operator", "a person"
PREVIOUS = "previous"
APPROVAL = "tradingoperator.io/approve"


@dataclass(frozen=True)
class PromotionPlan:
    """Where the versions stand: all of it goes into the status."""

    gates: tuple[GateResult, ...] = ()
    state: PromotionState | None = None
    champion: SelectedModel | None = None
    previous: tuple[SelectedModel, ...] = ()
    blocked: tuple[BlockedModel, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    handled: HandledCommands = field(default_factory=HandledCommands)
    requeue_after: timedelta | None = None

    @property
    def passed(self) -> bool:
        """Tell whether every gate lets the version pass."""
        return all(each.passed for each in self.gates)


@dataclass(frozen=True)
class _Scene:
    """What every step of a promotion looks at."""

    case: TrainingCase
    version: ModelVersion | None
    metric: str | None  # of the version, that stands for it in one number
    now: datetime

    @property
    def rules(self) -> Promotion | None:
        return self.case.spec.promotion

    @property
    def time(self) -> str:
        return format_time(self.now)


def plan_promotion(
    case: TrainingCase,
    version: ModelVersion | None,
    fresh_gates: tuple[GateResult, ...] | None,
    metric: str | None,
    now: datetime,
) -> PromotionPlan:
    """Return where the versions stand now; `fresh_gates` are those of a version just trained."""
    scene = _Scene(case, version, metric, now)
    plan = _take_over(case)
    if scene.rules is None and _is_watched(plan):
        plan = replace(plan, state=None)  # nobody says any more what it is watched for
    if fresh_gates is not None and version is not None:
        plan = replace(plan, gates=fresh_gates)
        # Whatever is trained meanwhile waits: a version that is watched stays watched.
        plan = plan if _is_watched(plan) else _judge_version(scene, version, plan)
    plan = _obey(scene, plan)
    if case.rival or case.restored_by:
        return _rest(plan) if _is_watched(plan) else plan
    return _advance(scene, _take_up(scene, plan))


def _is_watched(plan: PromotionPlan) -> bool:
    state, champion = plan.state, plan.champion
    if state is None or champion is None or champion.id != state.version:
        return False
    return state.phase in (PromotionPhase.LOADING, PromotionPhase.OBSERVING)


def _has_waited(scene: _Scene, plan: PromotionPlan) -> bool:
    """Tell whether the newest version was trained while another one was watched."""
    version, state = scene.version, plan.state
    if version is None or state is None or state.version == version.id:
        return False
    traded = plan.champion is not None and plan.champion.id == version.id
    # It may have been refused before, and was trained again since.
    mark = (HistoryEvent.PROMOTED, state.version)
    selected = [at for at, each in enumerate(plan.history) if (each.event, each.version) == mark]
    later = plan.history[selected[-1] + 1 :] if selected else plan.history
    return not traded and all(each.version != version.id for each in later)


def _take_up(scene: _Scene, plan: PromotionPlan) -> PromotionPlan:
    """Decide about a version that had to wait, once nothing else is watched."""
    version, state = scene.version, plan.state
    if version is None or state is None or _is_watched(plan) or not _has_waited(scene, plan):
        return plan
    if state.phase is PromotionPhase.ROLLED_BACK:
        plan = replace(plan, gates=outdate(plan.gates, state.version))
    return _judge_version(scene, version, plan)


def _rest(plan: PromotionPlan, message: str | None = None) -> PromotionPlan:
    """Stop the times of a version that is watched: they begin anew with the service."""
    if plan.state is None:
        return plan
    stopped: dict[str, str | None] = {"since": None, "loaded_at": None, "silent_since": None}
    if message is not None:
        stopped["message"] = message[:WORDS_LENGTH]
    return replace(plan, state=plan.state.model_copy(update=stopped))


def _take_over(case: TrainingCase) -> PromotionPlan:
    """Return what the status says; a status that was lost goes on with what is traded."""
    before = case.before
    return PromotionPlan(
        gates=tuple(before.gates),
        state=before.promotion,
        champion=traded_now(case),
        previous=tuple(before.previous),
        blocked=tuple(before.blocked),
        history=tuple(before.promotion_history),
        handled=before.handled or HandledCommands(),
    )


def _judge_version(scene: _Scene, version: ModelVersion, plan: PromotionPlan) -> PromotionPlan:
    """Decide what becomes of a version that was just trained."""
    if plan.champion is not None and plan.champion.id == version.id:
        return plan  # trained again, and the same: it is traded already
    if any(each.id == version.id for each in plan.blocked):
        message = "it went back before: train another one, or approve it by its id"
        return replace(plan, state=_state(scene, PromotionPhase.ROLLED_BACK, version.id, message))
    failed = [each for each in plan.gates if not each.passed]
    if failed:
        told = "; ".join(each.message or f"{each.name} failed" for each in failed)
        plan = add_history(scene, plan, HistoryEvent.REFUSED, version.id, OPERATOR, told)
        return replace(plan, state=_state(scene, PromotionPhase.REFUSED, version.id, told))
    if scene.rules is None:
        return replace(plan, state=None)
    message = f"approve it: kubectl annotate mtj {scene.case.owner.name} {APPROVAL}={version.id}"
    return replace(plan, state=_state(scene, PromotionPhase.AWAITING_APPROVAL, version.id, message))


def _obey(scene: _Scene, plan: PromotionPlan) -> PromotionPlan:
    """Carry out what people ask for by annotations."""
    approve = fresh_command(scene.case, plan.handled, APPROVE)
    if approve:
        plan = _approve(scene, plan, approve)
    back = fresh_command(scene.case, plan.handled, ROLLBACK_TO)
    return _roll_back_to(scene, plan, back) if back else plan


def _approve(scene: _Scene, plan: PromotionPlan, value: str) -> PromotionPlan:
    version = scene.version
    if version is None or version.id != value:
        # It stands until that very version is trained: its id holds the digest of its file.
        newest = "none" if version is None else version.id
        return _note(plan, refused=f"approve: {value} is not the newest version ({newest})")
    plan = _note(plan, approve=value, refused=None)
    if scene.rules is None:
        return _note(plan, refused=f"approve: spec.promotion names no service for {value}")
    if not plan.passed:
        failed = ", ".join(each.name for each in plan.gates if not each.passed)
        return _note(plan, refused=f"approve: {value} failed its gates ({failed})")
    if plan.champion is not None and plan.champion.id == value:
        return plan
    unblocked = tuple(each for each in plan.blocked if each.id != value)
    return _select(
        scene, replace(plan, blocked=unblocked), version, "approved by annotation", PERSON
    )


def _roll_back_to(scene: _Scene, plan: PromotionPlan, value: str) -> PromotionPlan:
    plan = _note(plan, rollback_to=value, refused=None)
    wanted = next((each for each in plan.previous if value in (each.id, PREVIOUS)), None)
    if plan.champion is not None and value == plan.champion.id:
        return plan
    if wanted is None:
        known = ", ".join(each.id for each in plan.previous) or "none"
        return _note(
            plan, refused=f"rollback-to: there is no version {value} before (only {known})"
        )
    plan = _set_aside(scene, plan, wanted)
    plan = replace(plan, blocked=tuple(each for each in plan.blocked if each.id != wanted.id))
    return _go_back(scene, plan, wanted, "asked by annotation", PERSON)


def _set_aside(scene: _Scene, plan: PromotionPlan, wanted: SelectedModel) -> PromotionPlan:
    """Block what would be selected at once, though a person has just chosen another version."""
    version, rules, state = scene.version, scene.rules, plan.state
    if version is None or version.id == wanted.id or rules is None or state is None:
        return plan
    awaited = (PromotionPhase.AWAITING_APPROVAL, version.id)
    waits = _has_waited(scene, plan) or (state.phase, state.version) == awaited
    if rules.mode is not PromotionMode.AUTO or not waits:
        return plan
    return _block(scene, plan, version.id, f"a person went back to {wanted.id} meanwhile")


def _advance(scene: _Scene, plan: PromotionPlan) -> PromotionPlan:
    """Go one step on with the version that is on its way into use."""
    state, rules = plan.state, scene.rules
    if state is None or rules is None:
        return plan
    if state.phase is PromotionPhase.AWAITING_APPROVAL:
        wanted = rules.mode is PromotionMode.AUTO and scene.version is not None
        return _select(scene, plan, scene.version, "its gates passed") if wanted else plan
    return _watch(scene, plan, state, rules)


def _watch(
    scene: _Scene, plan: PromotionPlan, state: PromotionState, rules: Promotion
) -> PromotionPlan:
    if plan.champion is None or plan.champion.id != state.version:
        return plan
    if state.phase is PromotionPhase.LOADING:
        found = watch_loading(scene.case, rules.observation, state, scene.now)
        return _after_loading(scene, plan, state, found)
    if state.phase is PromotionPhase.OBSERVING:
        found = watch_live(scene.case, rules.observation, state, scene.now)
        return _after_watching(scene, plan, state, found)
    return plan


def _after_loading(
    scene: _Scene, plan: PromotionPlan, state: PromotionState, found: Finding
) -> PromotionPlan:
    if found.fault:
        return _fall_back(scene, plan, found.fault)
    if found.loaded:
        window = scene.rules.observation.window if scene.rules is not None else ""
        loaded = _state(
            scene, PromotionPhase.OBSERVING, state.version, f"watched for {window}"
        ).model_copy(update={"loaded_at": scene.time})
        return replace(plan, state=loaded, requeue_after=LOOK_AGAIN)
    plan = replace(plan, requeue_after=found.look_again)
    if found.rests:
        return _rest(plan, found.waits_for)
    told = {"since": state.since or scene.time, "message": found.waits_for[:WORDS_LENGTH]}
    return replace(plan, state=state.model_copy(update=told))


def _after_watching(
    scene: _Scene, plan: PromotionPlan, state: PromotionState, found: Finding
) -> PromotionPlan:
    if found.fault:
        return _fall_back(scene, plan, found.fault)
    if not found.over:
        plan = replace(plan, requeue_after=found.look_again)
        if found.rests:
            return _rest(plan, found.waits_for)
        if not scene.case.service.settled:
            return plan  # no time begins while something else moves the service
        return replace(plan, state=_watched_on(scene, state, found))
    if _has_waited(scene, plan):
        plan = replace(plan, requeue_after=LOOK_AGAIN)
    plan = add_history(
        scene, plan, HistoryEvent.KEPT, state.version, OPERATOR, "nothing went wrong"
    )
    kept = _state(scene, PromotionPhase.KEPT, state.version, "nothing went wrong while watched")
    return replace(plan, state=kept.model_copy(update={"loaded_at": state.loaded_at}))


def _watched_on(scene: _Scene, state: PromotionState, found: Finding) -> PromotionState:
    silent = None if found.silent_since is None else format_time(found.silent_since)
    update: dict[str, object] = {
        "since": state.since or scene.time,
        # Without it the window has not begun: it begins when the service tells of it again.
        "loaded_at": state.loaded_at or (scene.time if found.loaded else None),
        "silent_since": silent,
        "message": found.waits_for[:WORDS_LENGTH],
    }
    return state.model_copy(update=update)


def _select(
    scene: _Scene,
    plan: PromotionPlan,
    version: ModelVersion | None,
    why: str,
    by: str = OPERATOR,
) -> PromotionPlan:
    """Have the service trade with a version; what it traded with before can be gone back to."""
    if version is None:
        return plan
    chosen = SelectedModel(
        id=version.id,
        digest=version.digest,
        file=version.file,
        format=version.format,
        feature_schema_hash=version.feature_schema_hash,
        trained_until=version.trained_until,
        since=scene.time,
        by=f"ModelTrainingJob {scene.case.owner.name}",
        why=why,
        metric=scene.metric,
    )
    former = () if plan.champion is None else (plan.champion,)
    previous = _without((*former, *plan.previous), version.id)
    plan = add_history(scene, plan, HistoryEvent.PROMOTED, version.id, by, why)
    message = f"{case_service(scene.case)} is told to load it"
    return replace(
        plan,
        champion=chosen,
        previous=previous[:MAX_PREVIOUS],
        state=_state(scene, PromotionPhase.LOADING, version.id, message),
        requeue_after=LOOK_AGAIN,
    )


def _fall_back(scene: _Scene, plan: PromotionPlan, why: str) -> PromotionPlan:
    """Take a version back by itself, to the newest one before it that did not go back as well."""
    blocked = {each.id for each in plan.blocked}
    former = next((each for each in plan.previous if each.id not in blocked), None)
    return _go_back(scene, plan, former, why, OPERATOR)


def _go_back(
    scene: _Scene, plan: PromotionPlan, to: SelectedModel | None, why: str, by: str
) -> PromotionPlan:
    left, why = plan.champion, why[:WORDS_LENGTH]
    if left is not None:
        # What has waited meanwhile is looked at in the next pass, after this one is written down.
        waits = LOOK_AGAIN if _has_waited(scene, plan) else None
        plan = replace(_block(scene, plan, left.id, why), requeue_after=waits)
        target = "nothing" if to is None else to.id
        told = f"{why}; back to {target}"
        plan = add_history(scene, plan, HistoryEvent.ROLLED_BACK, left.id, by, told)
        state = _state(scene, PromotionPhase.ROLLED_BACK, left.id, told)
        plan = replace(plan, state=state)
    chosen = None if to is None else to.model_copy(update={"since": scene.time, "why": why})
    kept = plan.previous if to is None else _without(plan.previous, to.id)
    return replace(plan, champion=chosen, previous=kept)


def _block(scene: _Scene, plan: PromotionPlan, version: str, why: str) -> PromotionPlan:
    blocked = BlockedModel(id=version, at=scene.time, why=why[:WORDS_LENGTH])
    others = tuple(each for each in plan.blocked if each.id != version)
    return replace(plan, blocked=(blocked, *others)[:MAX_BLOCKED])


def add_history(
    scene: _Scene, plan: PromotionPlan, event: HistoryEvent, version: str, by: str, why: str
) -> PromotionPlan:
    """Return the plan with one more entry of its history."""
    entry = HistoryEntry(
        sequence=0, at=scene.time, event=event, version=version, by=by, why=why[:WORDS_LENGTH]
    )
    return replace(plan, history=add_entry(plan.history, entry))


def _note(plan: PromotionPlan, **told: str | None) -> PromotionPlan:
    short = {name: value and value[:128] for name, value in told.items() if name != "refused"}
    if "refused" in told:
        short["refused"] = told["refused"] and told["refused"][:WORDS_LENGTH]
    return replace(plan, handled=plan.handled.model_copy(update=short))


def _without(models: tuple[SelectedModel, ...], gone: str) -> tuple[SelectedModel, ...]:
    return tuple({each.id: each for each in reversed(models) if each.id != gone}.values())[::-1]


def _state(scene: _Scene, phase: PromotionPhase, version: str, message: str) -> PromotionState:
    return PromotionState(
        phase=phase, version=version, since=scene.time, message=message[:WORDS_LENGTH]
    )
