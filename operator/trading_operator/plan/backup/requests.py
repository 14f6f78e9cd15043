"""Runs that are asked for once: without a schedule, by a command, or before a change."""

from collections.abc import Iterator

from trading_operator.manifests.digest import digest_of
from trading_operator.plan.backup.case import Case, Wish

RUN_NOW = "run-now"
ONCE = "once"


def plan_requests(case: Case) -> tuple[str, ...]:
    """Return who asks for a run and has none yet, each as a digest."""
    known = {each.id for each in case.before.requests} | {each.request for each in case.jobs}
    return tuple(each for each in dict.fromkeys(_requests(case)) if each not in known)


def request_of(uid: str, wish: Wish) -> str:
    """Return the digest by which a change asks for its backup: the same until it is another one."""
    return digest_of(["change", uid, wish.revision, wish.since, wish.retried])


def restore_request(uid: str, held_since: str) -> str:
    """Return the digest by which a Restore asks for a backup of what it will replace.

    What services wrote since an earlier stop is in none that was taken then.
    """
    return digest_of(["restore", uid, held_since])


def end_request(uid: str) -> str:
    """Return the digest by which a system that is deleted asks for its last backup."""
    return digest_of(["end", uid])


def command_request(value: str) -> str:
    """Return the digest by which a command asks for a run."""
    return digest_of(["command", value])


def standing_requests(case: Case) -> frozenset[str]:
    """Return who still asks: forgotten, each would be taken for a new one."""
    return frozenset((*case.asked, *_own_requests(case), ONCE))


def _requests(case: Case) -> Iterator[str]:
    yield from case.asked
    if not case.restored_by:  # else what is there now is half of this and half of that
        yield from _own_requests(case)


def _own_requests(case: Case) -> Iterator[str]:
    if case.spec.schedule is None and not case.spec.suspend:
        yield ONCE
    command = case.owner.commands.get(RUN_NOW, "")
    if command:
        yield command_request(command)
    if case.wish is not None and case.source is not None:
        yield request_of(case.source.owner.uid, case.wish)
