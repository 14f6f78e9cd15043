"""Whether a loss would cost more than the objectives allow."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api import reasons
from trading_operator.api.backup_parts import Objectives
from trading_operator.api.common import parse_duration
from trading_operator.plan.backup.record import Record
from trading_operator.plan.moments import read_moment
from trading_operator.plan.types import Finding


@dataclass(frozen=True)
class Standing:
    """What is broken of the objectives, and when something of them breaks by itself."""

    breaches: tuple[Finding, ...] = ()
    breaks_in: timedelta | None = None
    unmeasured: bool = False  # no drill has said yet how long a restore takes


def judge_objectives(
    objectives: Objectives | None, record: Record, since: datetime, now: datetime
) -> Standing:
    """Return how the objectives stand now; before `since` nobody was to take backups."""
    if objectives is None:
        return Standing()
    left = _time_left(objectives, record, since, now)
    breaches = (*_late_backup(objectives, record, left), *_slow_restore(objectives, record))
    return Standing(
        breaches,
        left if left is not None and left > timedelta() else None,
        objectives.rto is not None and _measured(record) is None,
    )


def _time_left(
    objectives: Objectives, record: Record, since: datetime, now: datetime
) -> timedelta | None:
    if objectives.rpo is None:
        return None
    newest = record.newest
    held = None if newest is None else read_moment(newest.data_as_of or newest.ended_at)
    return (held or since) + parse_duration(objectives.rpo) - now


def _late_backup(
    objectives: Objectives, record: Record, left: timedelta | None
) -> Iterator[Finding]:
    if left is None or left > timedelta():
        return
    newest = record.newest
    if newest is None:
        yield Finding(reasons.NO_BACKUP_YET, f"rpo {objectives.rpo}: there is no backup yet")
        return
    held = newest.data_as_of or newest.ended_at
    message = f"rpo {objectives.rpo}: the newest backup holds the data as of {held}"
    yield Finding(reasons.BACKUP_TOO_OLD, message)


def _slow_restore(objectives: Objectives, record: Record) -> Iterator[Finding]:
    took = _measured(record)
    if objectives.rto is None or took is None:
        return
    if took > parse_duration(objectives.rto).total_seconds():
        message = f"rto {objectives.rto}: the last verified restore took {took} s"
        yield Finding(reasons.RESTORE_TOO_SLOW, message)


def _measured(record: Record) -> int | None:
    return None if record.verified is None else record.verified.rto_seconds
