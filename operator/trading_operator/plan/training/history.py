"""What happened to versions, entry by entry; and which commands are new."""

from trading_operator.api.model_training_status import (
    MAX_HISTORY,
    HandledCommands,
    HistoryEntry,
)
from trading_operator.plan.rollout.commands import APPROVE, RETRY, ROLLBACK_TO
from trading_operator.plan.training.case import TrainingCase

_FIELDS = {APPROVE: "approve", ROLLBACK_TO: "rollback_to", RETRY: "retry"}


def add_entry(history: tuple[HistoryEntry, ...], entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """Return the newest entries with one more: numbers go on for ever."""
    last = history[-1].sequence if history else 0
    return (*history, entry.model_copy(update={"sequence": last + 1}))[-MAX_HISTORY:]


def fresh_command(case: TrainingCase, handled: HandledCommands, command: str) -> str:
    """Return a command's value if it was not handled before, else nothing."""
    value = case.owner.commands.get(command, "")[:128]
    return "" if value == getattr(handled, _FIELDS[command]) else value


def forget_withdrawn(case: TrainingCase, handled: HandledCommands) -> HandledCommands:
    """Forget commands that were taken back: given again, each is another one."""
    gone = {
        field: None for command, field in _FIELDS.items() if not case.owner.commands.get(command)
    }
    if len(gone) == len(_FIELDS):
        gone["refused"] = None
    return handled.model_copy(update=gone)
