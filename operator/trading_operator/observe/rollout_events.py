"""Events of a change: one for each step, told from two statuses."""

from collections.abc import Iterator, Mapping
from typing import Any

from trading_operator.api import reasons
from trading_operator.api.rollout import BACK, FORWARD, RolloutPhase
from trading_operator.observe.event_text import NORMAL, WARNING, EventText


def rollout_events(previous: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    """Yield the steps of a change that lie between two statuses."""
    before, after = previous.get("rollout") or {}, current.get("rollout") or {}
    if not after:
        return
    moved = _place(before) != _place(after)
    if moved and before:
        yield from _steps(previous, before, current, after)
    elif moved and after["phase"] == RolloutPhase.HELD:
        yield _held(after)
    yield from _skipped_backup(previous, current)
    yield from _refused_command(before, after)


def _place(rollout: Mapping[str, Any]) -> tuple[str, str]:
    return rollout.get("phase", ""), rollout.get("revision", "")


def _steps(
    previous: Mapping[str, Any],
    before: Mapping[str, Any],
    current: Mapping[str, Any],
    after: Mapping[str, Any],
) -> Iterator[EventText]:
    phase, revision = after["phase"], after["revision"]
    if phase == RolloutPhase.HELD:
        yield _held(after)
    elif phase in FORWARD and previous.get("revision") != current.get("revision"):
        message = f"revision {revision} replaces {previous.get('revision')}"
        yield EventText(NORMAL, reasons.CHANGE_STARTED, message)
    elif phase in BACK and before["phase"] not in BACK:
        component = after.get("component") or ""
        message = f"revision {revision} goes back to {current.get('revision')}"
        words = after.get("message")
        told = f"{message}: {words}" if words else message
        yield EventText(
            WARNING, reasons.CHANGE_FAILED if component else reasons.ROLLING_BACK, told, component
        )
    if phase == RolloutPhase.ROLLED_BACK:
        message = f"revision {current.get('revision')} serves again instead of {revision}"
        yield EventText(WARNING, reasons.ROLLED_BACK, message)
    elif phase == RolloutPhase.PROVEN and before["phase"] in FORWARD:
        yield EventText(NORMAL, reasons.CHANGE_PROVEN, f"revision {revision} is good")


def _held(after: Mapping[str, Any]) -> EventText:
    reason = after.get("reason") or after["phase"]
    kind = WARNING if reason == reasons.VALIDATION_FAILED else NORMAL
    return EventText(kind, reason, after.get("message") or "")


def _skipped_backup(previous: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[EventText]:
    before = (previous.get("handled") or {}).get("skipBackupOnce")
    now = (current.get("handled") or {}).get("skipBackupOnce")
    if now and now != before:
        message = f"the change to {now} goes without the backup that rollout.backupBefore names"
        yield EventText(WARNING, reasons.BACKUP_SKIPPED, message)


def _refused_command(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[EventText]:
    said = after.get("complaint")
    if said and said != before.get("complaint"):
        yield EventText(WARNING, reasons.COMMAND_REFUSED, said)
