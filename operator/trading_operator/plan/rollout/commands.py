"""One-shot commands about changes: annotations whose value is echoed when it was handled."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from trading_operator.api.rollout import Approval
from trading_operator.plan.draft import System
from trading_operator.plan.observed import RevisionState, StoredRevision
from trading_operator.plan.rollout.ledger import REFUSED, Ledger, Outcome

RETRY = "retry"
ROLLBACK_TO = "rollback-to"
APPROVE = "approve"
SKIP_BACKUP = "skip-backup-once"
DRY_RUN = "dry-run"
RESUME_TRADING = "resume-trading"
HANDLED = (RETRY, ROLLBACK_TO, APPROVE, SKIP_BACKUP, DRY_RUN, RESUME_TRADING)


@dataclass(frozen=True)
class Command:
    """A command that nobody has handled yet, or what is wrong with it."""

    state: RevisionState
    problem: str = ""


def carry_out(system: System, ledger: Ledger, digest: str, state: RevisionState) -> Command:
    """Return the state of the revision that the spec asks for, after a person's commands."""
    retry = _fresh(system, RETRY)
    if retry and state.outcome in REFUSED:
        return Command(
            RevisionState(Outcome.UNPROVEN, state.adopted, retried=retry, asked=state.asked)
        )
    back = _fresh(system, ROLLBACK_TO)
    return _roll_back(ledger, digest, state, back) if back else Command(state)


def handled_commands(system: System, digest: str, problem: str) -> Mapping[str, str]:
    """Return the values that are echoed, of the commands that stand and were carried out.

    What cannot be carried out is complained about for as long as it stands; what allows something
    for another revision than the wanted one was not needed.
    """
    commands = system.owner.commands
    asked = {name: commands[name] for name in HANDLED if commands.get(name)}
    if problem:
        asked.pop(ROLLBACK_TO, None)
    if system.observed.halt is not None:
        asked.pop(RESUME_TRADING, None)
    unneeded = {APPROVE: system.spec.rollout.approval is Approval.AUTOMATIC}
    unneeded[SKIP_BACKUP] = system.spec.rollout.backup_before is None
    for name, needless in unneeded.items():
        if needless or not names_revision(system, name, digest):
            asked.pop(name, None)
    return asked


def names_revision(system: System, command: str, digest: str) -> bool:
    """Tell whether a command names a revision: what it allows is never another one."""
    return _digest(system.owner.name, system.owner.commands.get(command, "")) == digest


def _fresh(system: System, command: str) -> str:
    """Return a command's value if it was not handled before, else nothing.

    A command that was taken back and given again is another one, also with the same value.
    """
    value = system.owner.commands.get(command, "")
    return "" if value == system.observed.rollout.handled.get(command, "") else value


def _roll_back(ledger: Ledger, digest: str, state: RevisionState, value: str) -> Command:
    target = find_named(ledger, value)
    if target is None:
        known = ", ".join(ledger.digest_of(each) for each in ledger.stored) or "none"
        return Command(state, f"rollback-to names {value}, which is not kept (there is {known})")
    found = ledger.digest_of(target)
    if found == digest:
        return Command(_forward(state, value))
    if target.state.outcome != Outcome.GOOD:
        told = target.state.outcome or "not proven"
        return Command(state, f"rollback-to names {value}, which is {told}, not Good")
    return Command(
        replace(state, outcome=Outcome.WITHDRAWN, return_to=found, asked=value, message="")
    )


def _forward(state: RevisionState, value: str) -> RevisionState:
    """Roll forward to what the spec asks for."""
    if state.outcome not in REFUSED:
        return replace(state, asked=value)
    return RevisionState(Outcome.UNPROVEN, state.adopted, state.retried, asked=value)


def find_named(ledger: Ledger, value: str) -> StoredRevision | None:
    """Return the revision that a person names by digest, object or number."""
    wanted = _digest(ledger.owner.name, value)
    by_number = (each for each in ledger.stored if str(each.number) == wanted)
    return ledger.find(wanted) or next(by_number, None)


def _digest(system: str, value: str) -> str:
    """Return the digest of a revision that may be named as its object is."""
    return value.removeprefix(f"{system}-")
