"""Retention: which sets stay, over whole chains, and never against the newest proven set."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from trading_backup.job import Retention
from trading_backup.retention import decide_retention
from trading_backup.sets import RESTORED, VERIFIED, BackupSet, group_chains, newest_marked
from unit.backup.samples import NOW, set_of


def _kept(sets: Sequence[BackupSet], **rules: int) -> list[BackupSet]:
    return list(decide_retention(sets, Retention(**rules), NOW).kept)


def test_without_a_rule_everything_stays() -> None:
    sets = [set_of(1000), set_of(1)]
    assert _kept(sets) == sets


def test_days_keep_all_that_is_as_young() -> None:
    old, edge, young = set_of(31), set_of(30), set_of(1)
    assert _kept([old, edge, young], days=30) == [edge, young]


def test_keep_last_counts_sets_and_not_days() -> None:
    sets = [set_of(400), set_of(300), set_of(200), set_of(100)]
    assert _kept(sets, keep_last=2) == sets[2:]


def test_daily_keeps_the_last_set_of_each_day_that_has_one() -> None:
    # NOW is 03:00: sets of one hour and of two hours ago are of the same day.
    first, last = set_of(2 / 24), set_of(1 / 24)
    gap, older = set_of(5), set_of(6)
    assert _kept([older, gap, first, last], daily=2) == [gap, last]


def test_weekly_and_monthly_keep_the_last_set_of_each() -> None:
    sets = [set_of(days) for days in (70, 40, 35, 15, 8, 1, 0)]
    # 30 November 2026 is a Monday, and one day before it is another week.
    assert _kept(sets, weekly=2) == [sets[5], sets[6]]
    assert _kept(sets, monthly=3) == [sets[0], sets[2], sets[6]]


def test_a_rule_adds_to_the_others() -> None:
    sets = [set_of(90), set_of(45), set_of(1), set_of(0)]
    assert _kept(sets, days=2, monthly=3) == sets
    assert _kept(sets, days=2) == sets[2:]


def test_the_newest_verified_set_stays_however_old_it_is() -> None:
    verified, newer, newest = set_of(300, VERIFIED), set_of(2), set_of(0)
    assert _kept([set_of(400, VERIFIED), verified, newer, newest], keep_last=1) == [
        verified,
        newest,
    ]


def test_the_newest_set_that_a_drill_restored_stays_too() -> None:
    restored, verified = set_of(200, VERIFIED, RESTORED), set_of(100, VERIFIED)
    assert _kept([set_of(250, RESTORED), restored, verified, set_of(0)], days=1)[:2] == [
        restored,
        verified,
    ]


def test_a_chain_stays_whole_or_goes_whole() -> None:
    full, increment, wanted = set_of(40), set_of(39, base=40), set_of(5, base=39)
    gone, gone_too = set_of(60), set_of(50, base=60)
    decision = decide_retention(
        [gone, gone_too, full, increment, wanted, set_of(0)], Retention(days=7), NOW
    )
    assert decision.deleted == (gone, gone_too)
    assert {full, increment, wanted} <= set(decision.kept)


def test_unfinished_sets_are_neither_counted_nor_deleted_here() -> None:
    torn, whole, newest = set_of(0.1, manifest=False), set_of(2), set_of(1)
    decision = decide_retention([whole, newest, torn], Retention(keep_last=2), NOW)
    assert decision.kept == (whole, newest)
    assert decision.deleted == ()


def test_increments_on_a_broken_chain_push_no_good_set_out() -> None:
    good = set_of(20, VERIFIED, RESTORED)
    orphans = [set_of(days, VERIFIED, RESTORED, base=days + 1) for days in (6, 4, 2, 0)]
    assert good in _kept([good, *orphans], keep_last=1, daily=2)
    assert orphans[0] in _kept([good, *orphans], days=7)
    assert _kept([good, *orphans]) == [good, *orphans]


@st.composite
def histories(draw: st.DrawFn) -> list[BackupSet]:
    """Sets of any ages, some verified, some standing on an earlier one."""
    ages = sorted(draw(st.sets(st.integers(0, 500), min_size=1, max_size=25)), reverse=True)
    sets: list[BackupSet] = []
    for place, age in enumerate(ages):
        base = draw(st.none() | st.sampled_from(ages[:place])) if place else None
        marks = draw(st.sets(st.sampled_from([VERIFIED, RESTORED])))
        sets.append(set_of(age, *marks, base=base))
    return sets


rules = st.builds(
    Retention,
    days=st.integers(0, 60),
    keep_last=st.integers(0, 5),
    daily=st.integers(0, 10),
    weekly=st.integers(0, 6),
    monthly=st.integers(0, 6),
)


@given(histories(), rules)
def test_whatever_the_rules_are(sets: list[BackupSet], chosen: Retention) -> None:
    decision = decide_retention(sets, chosen, NOW)
    assert sorted([*decision.kept, *decision.deleted], key=lambda s: s.id) == sets
    # No chain is torn, so what is kept can be restored.
    for chain in group_chains(sets):
        assert len({backup_set in decision.kept for backup_set in chain}) == 1
    # What is proven stays, and the newest.
    for mark in (VERIFIED, RESTORED):
        newest = newest_marked(sets, mark)
        assert newest is None or newest in decision.kept
    assert sets[-1] in decision.kept
    assert set(sets[-chosen.keep_last :] if chosen.keep_last else []) <= set(decision.kept)
    # A second run deletes nothing more.
    again = decide_retention(decision.kept, chosen, NOW)
    assert again.deleted == ()
