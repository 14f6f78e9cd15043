"""Backups as a kind: what is particular about passes over them."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from trading_operator.api.backup_status import RunKind
from trading_operator.controllers.backup import reconcile_backup
from trading_operator.controllers.kind import Kind, Status
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import parse_backup_status
from trading_operator.controllers.registry import Body, Registry
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.resources import BACKUPS
from trading_operator.observe.backup import invalid_backup_status
from trading_operator.observe.backup_events import backup_events
from trading_operator.plan.moments import read_moment


class BackupFacts(NamedTuple):
    """What is asked for often of a Backup; times are seconds since the epoch."""

    system: str
    last_success: float | None
    last_verified_restore: float | None
    bytes: int | None
    rpo_seconds: int | None
    rto_seconds: int | None
    missed_runs: int
    last_missed_run: float | None
    is_first_run: bool  # whether the first backup of all is under way


Backups = Registry[BackupFacts]
Number = Callable[[BackupFacts], float | None]


def read_facts(body: Body) -> BackupFacts:
    """Return what is asked for often of a Backup."""
    status = parse_backup_status(body)
    verified = status.last_verified_restore
    newest = next(iter(status.last_sets), None)
    running = any(each.kind is not RunKind.DRILL for each in status.running)
    return BackupFacts(
        system=str((body.get("spec") or {}).get("system", "")),
        last_success=_seconds(status.last_success),
        last_verified_restore=None if verified is None else _seconds(verified.at),
        bytes=None if newest is None else newest.bytes,
        rpo_seconds=status.measured_rpo_seconds,
        rto_seconds=status.measured_rto_seconds,
        missed_runs=status.missed_runs,
        last_missed_run=_seconds(status.last_missed_run),
        is_first_run=running and status.last_run is None,
    )


def build_backups(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours
) -> Kind[BackupFacts]:
    """Build the kind of the Backups."""
    return Kind(
        resource=BACKUPS,
        read_facts=read_facts,
        reconcile=functools.partial(reconcile_backup, kube, operand, neighbours),
        changed=neighbours.backup_changed,
        invalid_status=invalid_backup_status,
        known_status=known_status,
        tell=backup_events,
    )


def known_status(_: Kube, body: Body) -> Status | None:
    """Return the last status, which still holds."""
    previous = body.get("status")
    return None if previous is None else dict(previous)


def _seconds(text: str | None) -> float | None:
    moment = read_moment(text)
    return None if moment is None else moment.timestamp()
