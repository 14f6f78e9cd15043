"""What a change waits for before it begins: one function a gate, in the order of asking.

A gate for rollout windows would be one more function in GATES.
"""

from collections.abc import Callable
from dataclasses import dataclass

from trading_operator.api.backup_status import Outcome
from trading_operator.api.reasons import (
    BACKUP_NOT_TAKEN,
    DRY_RUN_ASKED,
    RESTORING,
    VALIDATION_FAILED,
    WAITING_FOR_APPROVAL,
)
from trading_operator.api.rollout import Approval, RolloutPhase
from trading_operator.manifests.metadata import COMMAND_PREFIX
from trading_operator.plan.backup.case import Wish
from trading_operator.plan.backup.requests import request_of
from trading_operator.plan.draft import System
from trading_operator.plan.rollout.commands import (
    APPROVE,
    DRY_RUN,
    RETRY,
    SKIP_BACKUP,
    names_revision,
)
from trading_operator.plan.rollout.validation import Assessment


@dataclass(frozen=True)
class Hold:
    """Why a change has not begun, and what lets it go."""

    reason: str
    message: str


@dataclass(frozen=True)
class Proposal:
    """A change that has not begun."""

    system: System
    digest: str
    assessment: Assessment


Gate = Callable[[Proposal], Hold | None]


def find_hold(proposal: Proposal) -> Hold | None:
    """Return the first reason why a change does not begin."""
    return next((hold for gate in GATES if (hold := gate(proposal)) is not None), None)


def _dry_run(proposal: Proposal) -> Hold | None:
    if not proposal.system.owner.commands.get(DRY_RUN):
        return None
    message = (
        f"nothing is changed while the annotation {COMMAND_PREFIX}{DRY_RUN} is there; "
        "status.dryRun says what would be"
    )
    return Hold(DRY_RUN_ASKED, message)


def _validation(proposal: Proposal) -> Hold | None:
    problems = proposal.assessment.problems
    if not problems:
        return None
    told = "; ".join(f"{each.component}: {each.block.message}" for each in problems)
    return Hold(VALIDATION_FAILED, f"the change does not begin: {told}")


def _approval(proposal: Proposal) -> Hold | None:
    rollout = proposal.system.spec.rollout
    if rollout.approval is Approval.AUTOMATIC or names_revision(
        proposal.system, APPROVE, proposal.digest
    ):
        return None
    return Hold(
        WAITING_FOR_APPROVAL,
        f"waits for approval: {_command(proposal, APPROVE)}",
    )


def _backup(proposal: Proposal) -> Hold | None:
    """Ask for the backup before the change. Fails closed: what is not known to be taken is not."""
    name = proposal.system.spec.rollout.backup_before
    if name is None or names_revision(proposal.system, SKIP_BACKUP, proposal.digest):
        return None
    lacks = _find_lack(proposal, name)
    if not lacks:
        return None
    skip = f"or go without once: {_command(proposal, SKIP_BACKUP)}"
    return Hold(BACKUP_NOT_TAKEN, f"rollout.backupBefore: {lacks}; {skip}")


def _find_lack(proposal: Proposal, name: str) -> str:
    """Say what is not done of the backup that this very change has asked for, "" when all is."""
    owner, backup = proposal.system.owner, proposal.system.observed.backup
    if backup is None or backup.name != name:
        return f"there is no Backup {name}: create it, or remove the field"
    if backup.system != owner.name:
        return f"Backup {name} is of {backup.system}: name one of {owner.name}"
    told = proposal.system.observed.rollout
    wish = Wish(proposal.digest, told.since, owner.commands.get(RETRY, ""))
    waits = (told.phase, told.asked) == (RolloutPhase.HELD, proposal.digest)
    asked = backup.asked.get(request_of(owner.uid, wish)) if waits else None
    if asked is None:
        trouble = f", which takes none now: {backup.trouble}" if backup.trouble else ""
        return f"waits for a verified backup by {name}{trouble}"
    if asked.outcome == Outcome.SUCCEEDED:
        return ""
    if asked.outcome == Outcome.RUNNING:
        return f"{name} takes the backup for this change"
    retry = _command(proposal, RETRY, "$(date +%s)")
    return f"the backup by {name} failed ({asked.message}): mend it and try again: {retry}"


def _restore(proposal: Proposal) -> Hold | None:
    restore = proposal.system.observed.restore
    if restore is None:
        return None
    return Hold(RESTORING, f"nothing is changed while Restore {restore.name} is under way")


def _command(proposal: Proposal, command: str, value: str = "") -> str:
    owner = proposal.system.owner
    return (
        f"kubectl annotate --overwrite --namespace {owner.namespace} tradingsystem {owner.name} "
        f"{COMMAND_PREFIX}{command}={value or proposal.digest}"
    )


GATES: tuple[Gate, ...] = (_restore, _dry_run, _validation, _approval, _backup)
