"""Schedules name the moments that Kubernetes finds in them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_operator.api.errors import InvalidSpecError
from trading_operator.plan.backup.cron import moments_between, next_moment, parse_cron


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def after(schedule: str, moment: str, zone: str = "Etc/UTC") -> str:
    found = next_moment(parse_cron(schedule, zone, "p"), at(moment))
    return "never" if found is None else found.strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("0 3 * * *", "2026-01-02 03:04", "2026-01-03 03:00"),
        ("0 3 * * *", "2026-01-02 02:59", "2026-01-02 03:00"),
        ("@hourly", "2026-01-02 03:00", "2026-01-02 04:00"),
        ("*/15 * * * *", "2026-01-02 03:04", "2026-01-02 03:15"),
        ("5/20 8-10,22 * * *", "2026-01-02 10:46", "2026-01-02 22:05"),
        ("0 5 * * 0", "2026-01-02 00:00", "2026-01-04 05:00"),
        ("0 5 * * sun", "2026-01-02 00:00", "2026-01-04 05:00"),
        ("0 0 29 feb *", "2026-01-02 00:00", "2028-02-29 00:00"),
        ("0 0 31 4 *", "2026-01-02 00:00", "never"),
    ],
)
def test_the_next_moment_is_the_first_one_after_now(schedule: str, now: str, due: str) -> None:
    assert after(schedule, now) == due


def test_of_two_kinds_of_days_one_is_enough_when_both_are_named() -> None:
    assert after("0 0 13 * fri", "2026-01-02 12:00") == "2026-01-09 00:00"
    assert after("0 0 13 * *", "2026-01-02 12:00") == "2026-01-13 00:00"
    # As Kubernetes has it: every second day of the month is a kind of day, `*` is none.
    assert after("0 0 */2 * mon", "2026-01-02 12:00") == "2026-01-03 00:00"


def test_the_time_zone_decides_and_an_hour_that_is_left_out_is_no_moment() -> None:
    assert after("0 3 * * *", "2026-07-01 00:00", "Europe/Berlin") == "2026-07-01 01:00"
    assert after("30 2 * * *", "2026-03-28 12:00", "Europe/Berlin") == "2026-03-30 00:30"


@pytest.mark.parametrize(
    ("schedule", "zone"),
    [
        ("60 * * * *", "Etc/UTC"),
        ("* * * * 7", "Etc/UTC"),
        ("* * * *", "Etc/UTC"),
        ("5-1 * * * *", "Etc/UTC"),
        ("*/0 * * * *", "Etc/UTC"),
        ("x * * * *", "Etc/UTC"),
        ("0 0 * * *", "Mars/Olympus"),
    ],
)
def test_a_schedule_that_names_no_moment_is_refused(schedule: str, zone: str) -> None:
    with pytest.raises(InvalidSpecError):
        parse_cron(schedule, zone, "schedule.full")


@given(st.integers(0, 59), st.integers(0, 23), st.integers(1, 40))
def test_moments_come_in_order_and_as_many_as_are_asked_for(
    minute: int, hour: int, most: int
) -> None:
    cron = parse_cron(f"{minute} {hour} * * *", "America/New_York", "p")
    found = moments_between(cron, at("2026-01-01 00:00"), at("2027-01-01 00:00"), most)
    assert len(found) == most
    assert found == sorted(set(found))
