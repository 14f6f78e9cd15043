"""Cron expressions as Kubernetes reads them, and the moments that they name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from trading_operator.api.errors import InvalidSpecError

_DAYS_AHEAD = 366 * 5  # in which every day of a calendar comes
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {
    name: at
    for at, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_WEEKDAYS = {name: at for at, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True)
class Cron:
    """The moments of a schedule, in a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # both kinds of days are restricted: one of them is enough
    zone: ZoneInfo

    def names_day(self, day: date) -> bool:
        """Tell whether a day has moments of the schedule."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def parse_cron(text: str, time_zone: str, path: str) -> Cron:
    """Parse a schedule; raises InvalidSpecError for what names no moment."""
    parts = _NAMED.get(text, text).split()
    if len(parts) != len(_FIELDS):
        raise InvalidSpecError(path, f"{text} has not five fields", "write it as in 0 3 * * *")
    fields = [_parse_field(part, *field, path) for part, field in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = fields
    return Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(weekdays),
        either_day=not (_is_open(parts[2]) or _is_open(parts[4])),
        zone=_read_zone(time_zone),
    )


def next_moment(cron: Cron, after: datetime) -> datetime | None:
    """Return the first moment after another one; None when there is none in years."""
    return next(_moments(cron, after), None)


def moments_between(cron: Cron, after: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the moments after one and not later than another, at most so many."""
    found: list[datetime] = []
    for moment in _moments(cron, after):
        if moment > until or len(found) == most:
            break
        found.append(moment)
    return found


def _moments(cron: Cron, after: datetime) -> Iterator[datetime]:
    first = after.astimezone(cron.zone).date()
    for ahead in range(_DAYS_AHEAD):
        day = first + timedelta(days=ahead)
        if cron.names_day(day):
            yield from (moment for moment in _of_day(cron, day) if moment > after)


def _of_day(cron: Cron, day: date) -> Iterator[datetime]:
    for hour in cron.hours:
        for minute in cron.minutes:
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=cron.zone)
            moment = local.astimezone(UTC)
            # When clocks go forward, an hour of the day is not there.
            if moment.astimezone(cron.zone).hour == hour:
                yield moment


def _parse_field(
    text: str, name: str, least: int, most: int, names: Mapping[str, int], path: str
) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        try:
            found |= set(_parse_range(part, least, most, names))
        except ValueError:
            raise InvalidSpecError(
                path, f"{part} is no {name}", f"use {least} to {most}, as in 0 3 * * *"
            ) from None
    return found


def _parse_range(text: str, least: int, most: int, names: Mapping[str, int]) -> range:
    """Return the values of `*`, `a`, `a-b`, each with or without `/step`; raises ValueError."""
    span, slash, step = text.partition("/")
    low, dash, high = span.partition("-")
    if span in ("*", "?"):
        first, last = least, most
    else:
        first = _parse_value(low, names)
        last = _parse_value(high, names) if dash else (most if slash else first)
    every = int(step) if slash else 1
    if not least <= first <= last <= most or every < 1:
        raise ValueError(text)
    return range(first, last + 1, every)


def _parse_value(text: str, names: Mapping[str, int]) -> int:
    return names[text.lower()] if text.lower() in names else int(text)


def _is_open(text: str) -> bool:
    return any(part in ("*", "?", "*/1", "?/1") for part in text.split(","))


def _read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidSpecError(
            "schedule.timeZone", f"there is no time zone {name}", "use a name as Europe/Berlin"
        ) from None
