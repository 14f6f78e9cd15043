"""What keeps a Restore from beginning."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from trading_operator.api.backup_parts import Method, Target
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.reasons import (
    BACKUP_NOT_FOUND,
    NOT_CONFIRMED,
    PHYSICAL_RESTORE,
    SET_NOT_KNOWN,
    SYSTEM_NOT_FOUND,
    SYSTEM_NOT_READY,
    WAITING_FOR_RESTORE,
    WAITING_FOR_TARGET,
)
from trading_operator.api.restore import LATEST, RestoreMode
from trading_operator.api.rollout import RolloutPhase
from trading_operator.api.trading_system import ComponentState
from trading_operator.plan.backup.case import Case, Source
from trading_operator.plan.backup.job_file import plan_hooks
from trading_operator.plan.backup.jobs import read_schedules
from trading_operator.plan.backup.repository import find_repository_block
from trading_operator.plan.backup.targets import Targets, plan_targets
from trading_operator.plan.restore.case import RestoreCase
from trading_operator.plan.types import Block

_LOOK_AGAIN = timedelta(seconds=15)
_PASSING = frozenset({SYSTEM_NOT_READY, WAITING_FOR_TARGET})
# While a change is on its way nobody stops and starts what it has changed.
_SETTLED = frozenset(
    {RolloutPhase.PROVEN.value, RolloutPhase.ROLLED_BACK.value, RolloutPhase.HELD.value}
)


def restored_targets(case: RestoreCase, backup: Case, source: Source) -> Targets:
    """Return what is restored; raises InvalidSpecError for what the system does not have."""
    methods = {each.name: each.method for each in backup.spec.targets}
    names = case.spec.targets or list(methods)
    wanted = [Target(name=name, method=methods.get(name, Method.LOGICAL)) for name in names]
    _refuse_unknown(case, backup)
    spec = backup.spec.model_copy(update={"targets": wanted, "schedule": None})
    return plan_targets(replace(backup, spec=spec), source)


def needs_safety(case: RestoreCase) -> bool:
    """Tell whether what is replaced is backed up first."""
    return case.spec.mode is RestoreMode.IN_PLACE and case.spec.safety_backup


def chosen_set(case: RestoreCase, backup: Case) -> str:
    """Return the set that is restored: once it is chosen, a newer one changes nothing."""
    if case.spec.set != LATEST:
        return case.spec.set
    newest = next(iter(backup.before.last_sets), None)
    return case.before.set or (LATEST if newest is None else newest.id)


def find_obstacle(case: RestoreCase) -> Block | None:
    """Return the first reason why a Restore does not begin."""
    return next(_obstacles(case), None)


def keeps_stopped(case: RestoreCase, block: Block) -> bool:
    """Tell whether what has been stopped stays so: the obstacle passes by itself meanwhile.

    A change that has begun all the same would not: it ends with its components running.
    """
    changes = case.system.rollout and case.system.rollout not in _SETTLED
    return block.reason in _PASSING and not changes


def _obstacles(case: RestoreCase) -> Iterator[Block]:
    backup = case.backup
    if backup is None:
        message = f"backup: there is no Backup {case.spec.backup} in this namespace"
        yield Block(BACKUP_NOT_FOUND, message, _LOOK_AGAIN)
        return
    source = backup.source
    if source is None:
        message = f"there is no TradingSystem {backup.spec.system} that could take the data"
        yield Block(SYSTEM_NOT_FOUND, message, _LOOK_AGAIN)
        return
    yield from _unconfirmed(case, source)
    if case.rival:
        message = f"waits for Restore {case.rival} of the same system"
        yield Block(WAITING_FOR_RESTORE, message, _LOOK_AGAIN)
    yield from _unready_system(case, source)
    targets = restored_targets(case, backup, source)
    yield from _unready_targets(case, targets)
    if needs_safety(case):
        yield from _unready_safety(backup, source)
    if needs_safety(case) and chosen_set(case, backup) == LATEST:
        # The backup of what is replaced would be the newest one.
        message = f"set: Backup {backup.owner.name} knows of none yet: make a Restore that names it"
        yield Block(SET_NOT_KNOWN, message)
    found = find_repository_block(backup)
    if found is not None:
        yield found


def _unconfirmed(case: RestoreCase, source: Source) -> Iterator[Block]:
    spec, name = case.spec, source.owner.name
    if spec.mode is RestoreMode.IN_PLACE and spec.confirm != name:
        message = f"confirm: {spec.confirm} is not the system whose data are replaced, {name}"
        yield Block(NOT_CONFIRMED, message)


def _unready_system(case: RestoreCase, source: Source) -> Iterator[Block]:
    name = source.owner.name
    if source.spec.paused or source.spec.hibernated:
        what = "is paused" if source.spec.paused else "hibernates"
        message = f"{name} {what}: nothing of it may be stopped and started"
        yield Block(SYSTEM_NOT_READY, message, _LOOK_AGAIN)
    if case.system.rollout not in _SETTLED:
        message = f"waits until the change of {name} that is under way is over"
        yield Block(SYSTEM_NOT_READY, message, _LOOK_AGAIN)


def _unready_targets(case: RestoreCase, targets: Targets) -> Iterator[Block]:
    physical = [each.name for each in targets.stores if each.method is Method.PHYSICAL]
    if physical:
        message = (
            f"{', '.join(physical)}: a physical copy is no part of a database that runs; restore "
            "it by the program into a new volume, or restore a set that was taken logically"
        )
        yield Block(PHYSICAL_RESTORE, message)
    away = [each.name for each in targets.stores if not _serves(case, each.name)]
    waits = (*targets.awaited, *away)
    if waits or not targets:
        message = f"waits until {', '.join(waits) or 'a target'} is Ready"
        yield Block(WAITING_FOR_TARGET, message, _LOOK_AGAIN)


def _unready_safety(backup: Case, source: Source) -> Iterator[Block]:
    """Yield why what is replaced cannot be saved; raises InvalidSpecError when it never can.

    The Backup takes all that it has, and none while its own spec makes no sense.
    """
    name = backup.owner.name
    try:
        read_schedules(backup.spec)
        plan_hooks(backup, source)
        awaited = plan_targets(backup, source).awaited
    except InvalidSpecError as error:
        problem = f"{name} cannot save what is replaced: {error.path}: {error.problem}"
        mend = f"mend {name}, or make another Restore with safetyBackup: false"
        raise InvalidSpecError("backup", problem, mend) from error
    if awaited:
        message = f"waits until {', '.join(awaited)} is there: {name} saves it too"
        yield Block(WAITING_FOR_TARGET, message, _LOOK_AGAIN)


def _serves(case: RestoreCase, name: str) -> bool:
    return case.system.states.get(name) == ComponentState.READY


def _refuse_unknown(case: RestoreCase, backup: Case) -> None:
    known = [each.name for each in backup.spec.targets]
    for at, name in enumerate(case.spec.targets):
        if known and name not in known:
            raise InvalidSpecError(
                f"targets[{at}]",
                f"Backup {backup.owner.name} has no {name} (it has {', '.join(known)})",
                "make another Restore without it",
            )
