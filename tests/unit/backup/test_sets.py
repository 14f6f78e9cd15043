"""Sets read from snapshots: their names, what is a backup, what stands on what."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from trading_backup.sets import (
    VERIFIED,
    StoredSnapshot,
    find_unfinished,
    find_whole,
    format_set_id,
    group_chains,
    group_sets,
    newest_marked,
    next_set_id,
    of_system,
    parse_set_id,
    published,
)
from unit.backup.samples import NOW, days_ago, set_of, snapshot_of


def test_an_id_is_the_time_in_utc_and_sorts_as_times_do() -> None:
    berlin = timezone(timedelta(hours=1))
    assert format_set_id(datetime(2026, 11, 30, 4, 0, tzinfo=berlin)) == "20261130T030000Z"
    assert parse_set_id("20261130T030000Z") == NOW


def test_a_new_set_is_newer_than_all_others_also_when_the_clock_went_back() -> None:
    assert next_set_id(NOW, []) == ("20261130T030000Z", False)
    assert next_set_id(NOW, [set_of(1)]) == ("20261130T030000Z", False)
    assert next_set_id(days_ago(1), [set_of(0)]) == ("20261130T030001Z", True)


def test_two_runs_in_one_second_get_two_ids_and_no_warning() -> None:
    assert next_set_id(NOW + timedelta(microseconds=1), [set_of(0)]) == ("20261130T030001Z", False)


def test_an_id_is_never_given_twice_even_if_its_run_failed() -> None:
    assert next_set_id(NOW, [set_of(0, manifest=False)])[0] == "20261130T030001Z"


def test_snapshots_are_grouped_by_set_and_strangers_are_left_alone() -> None:
    sets = group_sets(
        [
            snapshot_of("b", NOW, {"set=20261130T030000Z", "manifest"}),
            snapshot_of("c", NOW, {"set=20261129T030000Z"}),
            snapshot_of("a", NOW, {"set=20261130T030000Z", "target=db"}),
            snapshot_of("d", NOW, set()),
            snapshot_of("e", NOW, {"set=mine"}),
        ]
    )
    assert [(one.id, len(one.snapshots)) for one in sets] == [
        ("20261129T030000Z", 1),
        ("20261130T030000Z", 2),
    ]


def test_sets_of_another_system_are_left_alone() -> None:
    def made(day: int, *tags: str) -> StoredSnapshot:
        return snapshot_of(f"s{day}", NOW, {f"set=202611{day}T030000Z", *tags})

    ours = made(28, "manifest", "system=momentum")
    theirs = made(29, "manifest", "system=reversal")
    torn = made(30, "target=db")
    sets = group_sets([ours, theirs, torn])
    assert [each.id[:8] for each in of_system(sets, "momentum")] == ["20261128", "20261130"]


def test_a_set_without_a_manifest_is_no_backup() -> None:
    assert published([set_of(1, manifest=False)]) == []
    assert set_of(1, VERIFIED, manifest=False).marked_at(VERIFIED) is None


def test_what_a_killed_run_left_is_swept_only_when_nobody_can_write_it_any_more() -> None:
    young, old, whole = set_of(0.5, manifest=False), set_of(1.5, manifest=False), set_of(3)
    assert find_unfinished([young, old, whole], NOW, alone=False) == [old]
    assert find_unfinished([young, old, whole], NOW, alone=True) == [young, old]


def test_the_newest_verified_set_is_not_the_one_that_was_verified_last() -> None:
    older = set_of(5, VERIFIED)
    again = group_sets([*older.snapshots, snapshot_of("late", NOW, {f"set={older.id}", VERIFIED})])[
        0
    ]
    newer = set_of(1, VERIFIED)
    assert newest_marked([again, newer, set_of(0)], VERIFIED) == newer


def test_increments_and_what_they_stand_on_are_one_chain() -> None:
    full, first, second = set_of(5), set_of(4, base=5), set_of(3, base=4)
    other, lone = set_of(2), set_of(1)
    increment = set_of(0, base=2)
    chains = group_chains([second, lone, full, increment, first, other])
    assert chains == [(full, first, second), (other, increment), (lone,)]


def test_an_increment_is_whole_with_all_that_it_stands_on_down_to_the_full_set() -> None:
    full, first, second = set_of(5), set_of(4, base=5), set_of(3, base=4)
    assert find_whole([second, first, full]) == [full, first, second]
    assert find_whole([second, full]) == [full]
    assert find_whole([set_of(5, manifest=False), first, second]) == []


def test_a_set_that_stands_on_what_is_gone_is_not_the_newest_verified_one() -> None:
    whole, orphan = set_of(9, VERIFIED), set_of(1, VERIFIED, base=2)
    assert newest_marked([whole, orphan], VERIFIED) == whole


@pytest.mark.parametrize("text", ["latest", "2026-11-30", "20261330T000000Z", ""])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time data|unconverted"):
        parse_set_id(text)


def test_ids_are_in_whole_seconds() -> None:
    assert format_set_id(datetime(2026, 1, 1, 0, 0, 0, 999999, UTC)) == "20260101T000000Z"
